package service

import (
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/netns"
	"podd/netns/dns"
)

// add takes a completed Service into everything.
func (b *builder) add(s *corev1.Service) {
	b.out.Services = append(b.out.Services, s)
	name := dns.Service{Namespace: s.Namespace, Name: s.Name}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		name.External = s.Spec.ExternalName
		if ip, err := netip.ParseAddr(name.External); err == nil {
			b.problem(s, "ExternalNameIsAddress", fmt.Sprintf("spec.externalName: %s is taken for a name, as Kubernetes does, and no name server knows it; for an address write a Service without selector and an EndpointSlice", ip))
		}
		b.out.Names = append(b.out.Names, name)
		return
	}
	endpoints := b.endpointsOf(s)
	b.out.Endpoints = append(b.out.Endpoints, endpointsObject(s, endpoints))
	if len(s.Spec.Selector) > 0 {
		b.out.Slices = append(b.out.Slices, slicesOf(s, b.in.NodeName, endpoints)...)
	} else if len(endpoints) == 0 && !b.told(s) {
		b.problem(s, "NoEndpoints", "the Service has no selector, and no EndpointSlice of its namespace has the label kubernetes.io/service-name: "+s.Name+"; write one, or a selector")
	}
	b.addHealth(s, endpoints)
	if headless(s) {
		name.Endpoints = namesOf(endpoints)
		b.out.Names = append(b.out.Names, name)
		return
	}
	for _, text := range s.Spec.ClusterIPs {
		ip := netip.MustParseAddr(text)
		name.Addrs = append(name.Addrs, ip)
		b.onNetwork(s, ip)
	}
	if len(name.Addrs) == 0 {
		return // its problem is reported
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		name.Ports = append(name.Ports, dns.Port{Name: p.Name, Protocol: string(p.Protocol), Number: uint16(p.Port)})
		b.out.Table = append(b.out.Table, b.forward(s, p, name.Addrs, endpoints))
	}
	b.out.Names = append(b.out.Names, name)
}

// namesOf are the ready endpoints of a headless Service, for DNS.
func namesOf(endpoints []endpoint) []dns.Endpoint {
	var list []dns.Endpoint
	for i := range endpoints {
		e := &endpoints[i]
		if !e.ready() || len(e.addrs) == 0 {
			continue
		}
		out := dns.Endpoint{Addrs: e.addrs, Hostname: e.hostname}
		for _, p := range e.ports {
			out.Ports = append(out.Ports, dns.Port{Name: p.name, Protocol: string(p.protocol), Number: uint16(p.number)})
		}
		list = append(list, out)
	}
	return list
}

// forward is one port of a Service, for the kernel.
func (b *builder) forward(s *corev1.Service, p *corev1.ServicePort, ips []netip.Addr, endpoints []endpoint) netns.ServicePort {
	out := netns.ServicePort{
		Name: fmt.Sprintf("%s:%s", keyOf(s), portKey(p)), Protocol: netns.ProtocolOf(string(p.Protocol)),
		ClusterIPs: ips, Port: uint16(p.Port), NodePort: uint16(p.NodePort), HealthPort: uint16(s.Spec.HealthCheckNodePort),
		InternalLocal: s.Spec.InternalTrafficPolicy != nil && *s.Spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal,
		ExternalLocal: s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
	}
	if s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		out.Affinity = affinity(s)
	}
	for i := range endpoints {
		e := &endpoints[i]
		if !e.ready() && !e.leaving() {
			continue
		}
		for _, ep := range e.ports {
			if ep.name == p.Name && ep.protocol == p.Protocol {
				for _, ip := range e.addrs {
					out.Endpoints = append(out.Endpoints, netns.Endpoint{Addr: netip.AddrPortFrom(ip, uint16(ep.number)), Remote: e.remote, Terminating: !e.ready()})
				}
			}
		}
	}
	b.onBoard(s, p, &out)
	return out
}

func affinity(s *corev1.Service) time.Duration {
	seconds := corev1.DefaultClientIPServiceAffinitySeconds
	if c := s.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil && c.ClientIP.TimeoutSeconds != nil {
		seconds = *c.ClientIP.TimeoutSeconds
	}
	return time.Duration(seconds) * time.Second
}

// outside are the addresses beside ClusterIPs that a Service answers on.
func outside(s *corev1.Service) []string {
	list := append([]string(nil), s.Spec.ExternalIPs...)
	for _, i := range s.Status.LoadBalancer.Ingress {
		list = append(list, i.IP)
	}
	return list
}

// claim gives an address and port to one Service: the first.
func (b *builder) claim(s *corev1.Service, front string) bool {
	if owner, taken := b.fronts[front]; taken && owner != keyOf(s) {
		b.problem(s, "PortTaken", fmt.Sprintf("%s is already served by Service %s; change the port of one of them", front, owner))
		return false
	}
	b.fronts[front] = keyOf(s)
	return true
}
