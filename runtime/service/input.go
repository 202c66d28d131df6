package service

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/netns"
	"podd/netns/dns"
)

// Input is all that Services depend on. Nothing of it is changed.
type Input struct {
	Services []*corev1.Service            // of the folder, defaulted and valid
	Slices   []*discoveryv1.EndpointSlice // written by hand
	Pods     []*corev1.Pod                // with their status
	NodeName string
	NodeIPs  []netip.Addr // the board's own, on which a LoadBalancer answers
	Ranges   []netip.Prefix
	// Networks have addresses of Ranges too: this machine has routes to them.
	Networks []netip.Prefix
	// InUse says whether a process of the machine listens on a port of an address, or without one of any that has node
	// ports; nil: none does.
	InUse func(ip netip.Addr, p netns.Protocol, port uint16) bool
	Kept  Allocations // of before
}

// Output is what follows from an Input.
type Output struct {
	Services  []*corev1.Service            // with addresses, node ports and status
	Slices    []*discoveryv1.EndpointSlice // generated ones and those written by hand
	Endpoints []*Endpoints                 // the older form of the slices, one for each Service
	Table     netns.ServiceTable
	Names     []dns.Service
	PodNames  []dns.Pod
	Kept      Allocations
	Problems  []Problem
	Health    []HealthPort
	// Recheck says that a problem may go away without anybody's saying so.
	Recheck bool
}

// Problem is what keeps a Service from working as it is written. The others are not affected.
type Problem struct {
	Service         *corev1.Service
	Slice           *discoveryv1.EndpointSlice // what it is about, if not the Service
	Reason, Message string
}

// told says whether a Service's slices are at fault.
func (b *builder) told(s *corev1.Service) bool {
	return slices.ContainsFunc(b.out.Problems, func(p Problem) bool { return p.Service == s && p.Slice != nil })
}

// Build works everything out anew.
func Build(in Input) Output {
	b := &builder{in: in, fronts: map[string]string{}, hostPorts: map[string][]hostPort{}, local: map[netip.Addr]bool{}}
	kept, given, problems := allocate(in.Services, in.Ranges, in.Kept)
	b.out.Kept, b.out.Problems = kept, problems
	for _, ip := range in.NodeIPs {
		b.local[ip] = true
	}
	for _, p := range in.Pods {
		b.addPod(p)
	}
	var complete []*corev1.Service
	for _, s := range in.Services {
		c := b.complete(s, given[keyOf(s)])
		complete = append(complete, c)
		for i := range c.Spec.Ports {
			if headless(c) {
				break
			}
			for _, ip := range c.Spec.ClusterIPs {
				b.claim(c, ip+" "+portKey(&c.Spec.Ports[i]))
			}
		}
	}
	for _, s := range complete {
		b.add(s)
	}
	b.out.Slices = append(b.out.Slices, in.Slices...)
	b.setProblemConditions()
	return b.out
}

type builder struct {
	in        Input
	out       Output
	fronts    map[string]string   // who has an address and port
	local     map[netip.Addr]bool // addresses of this node and its pods
	hostPorts map[string][]hostPort
}

func (b *builder) problem(s *corev1.Service, reason, message string) {
	b.out.Problems = append(b.out.Problems, Problem{Service: s, Reason: reason, Message: message})
}

func (b *builder) addPod(p *corev1.Pod) {
	name := dns.Pod{Namespace: p.Namespace}
	if !ended(p) {
		b.addHostPorts(p)
	}
	for _, ip := range podAddrs(p) {
		b.local[ip] = true
		if !p.Spec.HostNetwork {
			name.Addrs = append(name.Addrs, ip)
		}
	}
	if len(name.Addrs) > 0 && !ended(p) {
		b.out.PodNames = append(b.out.PodNames, name)
	}
}

// complete is the Service as the API shows it.
func (b *builder) complete(s *corev1.Service, a Allocation) *corev1.Service {
	s = s.DeepCopy()
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return s
	}
	s.Spec.IPFamilies = a.families
	policy := corev1.IPFamilyPolicySingleStack
	if s.Spec.IPFamilyPolicy == nil {
		s.Spec.IPFamilyPolicy = &policy
	}
	if !headless(s) {
		s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil
		for _, ip := range a.ClusterIPs {
			s.Spec.ClusterIPs = append(s.Spec.ClusterIPs, ip.String())
		}
		if len(s.Spec.ClusterIPs) > 0 {
			s.Spec.ClusterIP = s.Spec.ClusterIPs[0]
		}
	} else {
		s.Spec.ClusterIPs = []string{corev1.ClusterIPNone}
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		p.NodePort = int32(a.NodePorts[portKey(p)])
	}
	s.Spec.HealthCheckNodePort = int32(a.NodePorts[healthKey])
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil {
		s.Status.LoadBalancer.Ingress = b.ingress(s)
	}
	return s
}

// ingress are the board's own addresses of the Service's families: the board is its own load balancer.
func (b *builder) ingress(s *corev1.Service) []corev1.LoadBalancerIngress {
	var list []corev1.LoadBalancerIngress
	mode := corev1.LoadBalancerIPModeVIP
	for _, ip := range b.in.NodeIPs {
		wanted := s.Spec.LoadBalancerIP == "" || s.Spec.LoadBalancerIP == ip.String()
		if wanted && hasFamily(s, ip) {
			list = append(list, corev1.LoadBalancerIngress{IP: ip.String(), IPMode: &mode})
		}
	}
	if len(list) == 0 && s.Spec.LoadBalancerIP != "" {
		b.problem(s, "LoadBalancerIPNotOurs", "spec.loadBalancerIP "+s.Spec.LoadBalancerIP+" is not an address of this board; remove the field or give the board that address")
	}
	return list
}

func hasFamily(s *corev1.Service, ip netip.Addr) bool {
	for _, f := range s.Spec.IPFamilies {
		if f == familyOf(ip) {
			return true
		}
	}
	return false
}

func familyOf(ip netip.Addr) corev1.IPFamily {
	if ip.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func headless(s *corev1.Service) bool { return s.Spec.ClusterIP == corev1.ClusterIPNone }

func keyOf(s *corev1.Service) string { return s.Namespace + "/" + s.Name }

// NotAsWritten is the condition of a Service that a Problem is about.
const NotAsWritten = "podd.dev/NotAsWritten"

// setProblemConditions puts the problems into the Services' status.
func (b *builder) setProblemConditions() {
	for _, f := range b.out.Problems {
		for _, s := range b.out.Services {
			if keyOf(s) == keyOf(f.Service) {
				s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{
					Type: NotAsWritten, Status: metav1.ConditionTrue, Reason: f.Reason, Message: f.Message, LastTransitionTime: s.CreationTimestamp,
				})
			}
		}
	}
}
