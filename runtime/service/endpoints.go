package service

import (
	"cmp"
	"net/netip"
	"sort"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// endpoint is one pod, or one line of a slice written by hand, behind a Service.
type endpoint struct {
	pod        *corev1.Pod // nil for one written by hand
	addrs      []netip.Addr
	hostname   string
	ports      []port
	conditions discoveryv1.EndpointConditions
	remote     bool
}

func (e *endpoint) ready() bool { return e.conditions.Ready == nil || *e.conditions.Ready }

// leaving says of an endpoint that it is to end and still answers: it is better than none. KEP-1669
func (e *endpoint) leaving() bool {
	c := &e.conditions
	return c.Terminating != nil && *c.Terminating && (c.Serving == nil || *c.Serving)
}

// port is a port of a Service as one endpoint has it.
type port struct {
	name     string
	protocol corev1.Protocol
	number   int32
}

// endpointsOf are all that are behind a Service, ready or not.
func (b *builder) endpointsOf(s *corev1.Service) []endpoint {
	if len(s.Spec.Selector) == 0 {
		return b.writtenByHand(s)
	}
	var list []endpoint
	for _, p := range b.in.Pods {
		if p.Namespace == s.Namespace && selects(s.Spec.Selector, p.Labels) && !ended(p) {
			if e := endpointOf(s, p); len(e.addrs) > 0 {
				list = append(list, e)
			}
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].pod.Name < list[j].pod.Name })
	return list
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// ended says of a pod that nothing of it runs any more.
func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// endpointOf is a pod as an endpoint. A terminating one is not ready from the moment on at which it is to end; whether
// it still serves is a condition of its own. KEP-1672
func endpointOf(s *corev1.Service, p *corev1.Pod) endpoint {
	serving, terminating := isReady(p), p.DeletionTimestamp != nil
	ready := serving && !terminating || s.Spec.PublishNotReadyAddresses
	e := endpoint{pod: p, conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating}}
	for _, ip := range podAddrs(p) {
		if hasFamily(s, ip) {
			e.addrs = append(e.addrs, ip)
		}
	}
	if p.Spec.Hostname != "" && p.Spec.Subdomain == s.Name {
		e.hostname = p.Spec.Hostname
	}
	for i := range s.Spec.Ports {
		sp := &s.Spec.Ports[i]
		if n, ok := targetPort(p, sp); ok {
			e.ports = append(e.ports, port{sp.Name, sp.Protocol, n})
		}
	}
	return e
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func podAddrs(p *corev1.Pod) []netip.Addr {
	var list []netip.Addr
	for _, ip := range p.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			list = append(list, a)
		}
	}
	return list
}

// targetPort is a Service's target in one pod, which may have a named port that another pod has elsewhere or lacks.
func targetPort(p *corev1.Pod, sp *corev1.ServicePort) (int32, bool) {
	if sp.TargetPort.Type == intstr.Int {
		return sp.TargetPort.IntVal, true
	}
	for _, list := range [][]corev1.Container{p.Spec.Containers, sidecars(p)} {
		for i := range list {
			for _, cp := range list[i].Ports {
				if cp.Name == sp.TargetPort.StrVal && cmp.Or(cp.Protocol, corev1.ProtocolTCP) == sp.Protocol {
					return cp.ContainerPort, true
				}
			}
		}
	}
	return 0, false
}

func sidecars(p *corev1.Pod) []corev1.Container {
	var list []corev1.Container
	for i := range p.Spec.InitContainers {
		if r := p.Spec.InitContainers[i].RestartPolicy; r != nil && *r == corev1.ContainerRestartPolicyAlways {
			list = append(list, p.Spec.InitContainers[i])
		}
	}
	return list
}

// writtenByHand are the endpoints of the slices that name the Service.
func (b *builder) writtenByHand(s *corev1.Service) []endpoint {
	var list []endpoint
	for _, slice := range b.in.Slices {
		if slice.Namespace != s.Namespace || slice.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		if slice.AddressType == discoveryv1.AddressTypeFQDN {
			b.names(s, slice)
			continue
		}
		var ports []port
		for _, p := range slice.Ports {
			out := port{protocol: corev1.ProtocolTCP}
			if p.Name != nil {
				out.name = *p.Name
			}
			if p.Protocol != nil {
				out.protocol = *p.Protocol
			}
			if p.Port != nil {
				out.number = *p.Port
				ports = append(ports, out)
			}
		}
		for i := range slice.Endpoints {
			list = append(list, b.byHand(&slice.Endpoints[i], ports))
		}
	}
	return list
}

// names tells of a slice that nothing can be forwarded to, as kube-proxy does nothing with it.
func (b *builder) names(s *corev1.Service, slice *discoveryv1.EndpointSlice) {
	b.out.Problems = append(b.out.Problems, Problem{
		Service: s, Slice: slice, Reason: "FQDNNotForwarded",
		Message: "addressType FQDN of EndpointSlice " + slice.Name + " is deprecated and means nothing to a Service: write IPv4 or IPv6 addresses, or a Service of type ExternalName",
	})
}

func (b *builder) byHand(e *discoveryv1.Endpoint, ports []port) endpoint {
	out := endpoint{ports: ports, conditions: e.Conditions}
	if e.Hostname != nil {
		out.hostname = *e.Hostname
	}
	// Consumers take the first address: the others are the same endpoint (discovery/v1, Endpoint.Addresses).
	if len(e.Addresses) > 0 {
		if ip, err := netip.ParseAddr(e.Addresses[0]); err == nil {
			out.addrs = []netip.Addr{ip}
			out.remote = !b.local[ip]
		}
	}
	return out
}
