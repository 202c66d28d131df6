package service

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"
)

// Allocations are what Services were given, by NAMESPACE/NAME. They are kept over reboots.
type Allocations map[string]Allocation

// Allocation is what one Service has that its manifest need not say.
type Allocation struct {
	ClusterIPs []netip.Addr      `json:"clusterIPs,omitempty"`
	NodePorts  map[string]uint16 `json:"nodePorts,omitempty"` // by protocol and port

	families []corev1.IPFamily
}

// Node ports. https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport
const (
	firstNodePort = 30000
	lastNodePort  = 32767
)

// portKey names a port within its Service.
func portKey(p *corev1.ServicePort) string { return fmt.Sprintf("%s/%d", p.Protocol, p.Port) }

type allocator struct {
	ranges   []netip.Prefix
	addrs    map[netip.Addr]string // whose
	ports    map[string]string
	out      Allocations
	problems []Problem
}

// allocate gives every Service its addresses and node ports: first what manifests ask for, then what Services had,
// then new ones, chosen by name, so that most come out the same even without memory.
func allocate(services []*corev1.Service, ranges []netip.Prefix, kept Allocations) (out, given Allocations, problems []Problem) {
	a := &allocator{ranges: ranges, addrs: map[netip.Addr]string{}, ports: map[string]string{}, out: Allocations{}}
	for _, s := range services {
		if s.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		al := Allocation{NodePorts: map[string]uint16{}, families: a.familiesOf(s)}
		a.honourAddrs(s, &al)
		a.honourPorts(s, &al)
		a.out[keyOf(s)] = al
	}
	for _, fill := range []func(*corev1.Service, *Allocation, Allocation){a.keep, a.fill} {
		for _, s := range services {
			if al, ok := a.out[keyOf(s)]; ok {
				fill(s, &al, kept[keyOf(s)])
				a.out[keyOf(s)] = al
			}
		}
	}
	given = maps.Clone(a.out)
	maps.DeleteFunc(a.out, func(_ string, al Allocation) bool { return len(al.ClusterIPs) == 0 && len(al.NodePorts) == 0 })
	return a.out, given, a.problems
}

func (a *allocator) problem(s *corev1.Service, reason, format string, args ...any) {
	a.problems = append(a.problems, Problem{Service: s, Reason: reason, Message: fmt.Sprintf(format, args...)})
}

// familiesOf are the families that a Service has here. KEP-563
func (a *allocator) familiesOf(s *corev1.Service) []corev1.IPFamily {
	var have []corev1.IPFamily
	for _, r := range a.ranges {
		have = append(have, familyOf(r.Addr()))
	}
	wanted := slices.Clone(s.Spec.IPFamilies)
	for _, text := range s.Spec.ClusterIPs {
		if ip, err := netip.ParseAddr(text); err == nil && !slices.Contains(wanted, familyOf(ip)) {
			wanted = append(wanted, familyOf(ip))
		}
	}
	policy := corev1.IPFamilyPolicySingleStack
	if s.Spec.IPFamilyPolicy != nil {
		policy = *s.Spec.IPFamilyPolicy
	} else if len(wanted) == 2 {
		policy = corev1.IPFamilyPolicyRequireDualStack
	}
	if len(wanted) == 0 {
		wanted = have[:1:1]
	}
	if policy != corev1.IPFamilyPolicySingleStack {
		for _, f := range have {
			if !slices.Contains(wanted, f) {
				wanted = append(wanted, f)
			}
		}
	}
	usable := slices.DeleteFunc(wanted, func(f corev1.IPFamily) bool { return !slices.Contains(have, f) })
	if policy == corev1.IPFamilyPolicyRequireDualStack && len(usable) < 2 || len(usable) == 0 {
		a.problem(s, "IPFamilyNotAvailable", "the Service asks for a family of addresses that this node's Services do not have: set ipv6: true in podd's configuration, or change ipFamilyPolicy and ipFamilies")
	}
	return usable
}

// honourAddrs takes the addresses that the manifest gives.
func (a *allocator) honourAddrs(s *corev1.Service, al *Allocation) {
	if headless(s) {
		return
	}
	given := s.Spec.ClusterIPs
	if len(given) == 0 && s.Spec.ClusterIP != "" {
		given = []string{s.Spec.ClusterIP}
	}
	for _, text := range given {
		ip, err := netip.ParseAddr(text)
		switch r, ok := a.rangeOf(ip); {
		case err != nil:
		case !ok:
			a.problem(s, "ClusterIPOutOfRange", "spec.clusterIPs: %s is not within the networks of Services %v", ip, a.ranges)
		case !usable(r, ip):
			a.problem(s, "ClusterIPOutOfRange", "spec.clusterIPs: %s is the first or last address of %s; take another", ip, r)
		case !a.take(ip, s):
			a.problem(s, "ClusterIPAlreadyAllocated", "spec.clusterIPs: failed to allocate IP %s: provided IP is already allocated to Service %s", ip, a.addrs[ip])
		default:
			al.ClusterIPs = append(al.ClusterIPs, ip)
		}
	}
}

func (a *allocator) rangeOf(ip netip.Addr) (netip.Prefix, bool) {
	for _, r := range a.ranges {
		if r.Contains(ip) {
			return r, true
		}
	}
	return netip.Prefix{}, false
}

// usable leaves out the network's own address and its last.
func usable(r netip.Prefix, ip netip.Addr) bool {
	return ip != r.Masked().Addr() && r.Contains(ip.Next())
}

func (a *allocator) take(ip netip.Addr, s *corev1.Service) bool {
	if owner, taken := a.addrs[ip]; taken && owner != keyOf(s) {
		return false
	}
	a.addrs[ip] = keyOf(s)
	return true
}

func (a *allocator) takePort(protocol corev1.Protocol, port uint16, s *corev1.Service) bool {
	key := fmt.Sprintf("%s/%d", protocol, port)
	if _, taken := a.ports[key]; taken {
		return false
	}
	a.ports[key] = keyOf(s)
	return true
}

func (a *allocator) owner(protocol corev1.Protocol, port uint16) string {
	return a.ports[fmt.Sprintf("%s/%d", protocol, port)]
}

func (a *allocator) honourPorts(s *corev1.Service, al *Allocation) {
	a.honourHealth(s, al)
	if !wantsNodePorts(s) {
		return
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if p.NodePort == 0 {
			continue
		}
		if a.takePort(p.Protocol, uint16(p.NodePort), s) {
			al.NodePorts[portKey(p)] = uint16(p.NodePort)
		} else {
			a.problem(s, "PortAlreadyAllocated", "spec.ports[%d].nodePort: Invalid value: %d: provided port is already allocated to Service %s", i, p.NodePort, a.owner(p.Protocol, uint16(p.NodePort)))
		}
	}
}

func wantsNodePorts(s *corev1.Service) bool {
	switch s.Spec.Type {
	case corev1.ServiceTypeNodePort:
		return true
	case corev1.ServiceTypeLoadBalancer:
		return s.Spec.AllocateLoadBalancerNodePorts == nil || *s.Spec.AllocateLoadBalancerNodePorts
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName:
	}
	return false
}

// keep gives a Service again what it had.
func (a *allocator) keep(s *corev1.Service, al *Allocation, before Allocation) {
	a.keepHealth(s, al, before)
	for _, ip := range before.ClusterIPs {
		if a.lacks(s, al, familyOf(ip)) {
			if r, ok := a.rangeOf(ip); ok && usable(r, ip) && a.take(ip, s) {
				al.ClusterIPs = append(al.ClusterIPs, ip)
			}
		}
	}
	if !wantsNodePorts(s) {
		return
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		had, ok := before.NodePorts[portKey(p)]
		if ok && p.NodePort == 0 && a.takePort(p.Protocol, had, s) {
			al.NodePorts[portKey(p)] = had
		}
	}
}

// lacks says whether a Service is to have an address of a family and has none. One that asked for an address and did
// not get it is given no other.
func (a *allocator) lacks(s *corev1.Service, al *Allocation, f corev1.IPFamily) bool {
	if headless(s) || !slices.Contains(al.families, f) {
		return false
	}
	for _, text := range append(slices.Clone(s.Spec.ClusterIPs), s.Spec.ClusterIP) {
		if ip, err := netip.ParseAddr(text); err == nil && familyOf(ip) == f {
			return false
		}
	}
	return !slices.ContainsFunc(al.ClusterIPs, func(ip netip.Addr) bool { return familyOf(ip) == f })
}

// fill gives a Service what it still lacks.
func (a *allocator) fill(s *corev1.Service, al *Allocation, _ Allocation) {
	a.fillHealth(s, al)
	for _, f := range al.families {
		if !a.lacks(s, al, f) {
			continue
		}
		if ip, ok := a.freeAddr(s, f); ok {
			al.ClusterIPs = append(al.ClusterIPs, ip)
		} else {
			a.problem(s, "ClusterIPNotAllocated", "no address is free in the networks of Services %v: make serviceCIDR in podd's configuration larger", a.ranges)
		}
	}
	place := func(i int) int { return slices.Index(al.families, familyOf(al.ClusterIPs[i])) }
	sort.SliceStable(al.ClusterIPs, func(i, j int) bool { return place(i) < place(j) })
	if !wantsNodePorts(s) {
		return
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if _, ok := al.NodePorts[portKey(p)]; ok || p.NodePort != 0 {
			continue
		}
		if port, ok := a.freePort(s, p.Protocol, portKey(p)); ok {
			al.NodePorts[portKey(p)] = port
		} else {
			a.problem(s, "PortNotAllocated", "no node port is free between %d and %d", firstNodePort, lastNodePort)
		}
	}
}

// freeAddr looks for a free address from one on that follows from the Service's name.
func (a *allocator) freeAddr(s *corev1.Service, f corev1.IPFamily) (netip.Addr, bool) {
	for _, r := range a.ranges {
		if familyOf(r.Addr()) != f {
			continue
		}
		size := uint32(1) << min(r.Addr().BitLen()-r.Bits(), 16)
		start := hash(keyOf(s)) % size
		for i := range size {
			if ip := nth(r, (start+i)%size); usable(r, ip) && a.take(ip, s) {
				return ip, true
			}
		}
	}
	return netip.Addr{}, false
}

// nth is an address of a network, of which n is one of the lowest 65536.
func nth(r netip.Prefix, n uint32) netip.Addr {
	b := r.Masked().Addr().AsSlice()
	b[len(b)-1] |= byte(n)
	b[len(b)-2] |= byte(n >> 8)
	ip, _ := netip.AddrFromSlice(b)
	return ip
}

func (a *allocator) freePort(s *corev1.Service, protocol corev1.Protocol, key string) (uint16, bool) {
	const size = lastNodePort - firstNodePort + 1
	start := hash(keyOf(s)+":"+key) % size
	for i := range uint32(size) {
		port := uint16(firstNodePort + (start+i)%size)
		if a.takePort(protocol, port, s) {
			return port, true
		}
	}
	return 0, false
}

func hash(text string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text))
	return h.Sum32()
}
