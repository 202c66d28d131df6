package service

import (
	"cmp"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"podd/netns"
)

// hostPort is a port of the board that a pod has.
type hostPort struct {
	ip  netip.Addr // none: of all addresses
	pod string
}

// addHostPorts notes the ports of the board that belong to a pod.
func (b *builder) addHostPorts(p *corev1.Pod) {
	for _, list := range [][]corev1.Container{p.Spec.Containers, sidecars(p)} {
		for i := range list {
			for _, port := range list[i].Ports {
				if port.HostPort == 0 {
					continue
				}
				ip, err := netip.ParseAddr(port.HostIP)
				if port.HostIP != "" && err != nil {
					continue // it is not opened
				}
				if ip = ip.Unmap(); ip.IsValid() && ip.IsUnspecified() {
					ip = netip.Addr{}
				}
				key := fmt.Sprintf("%s/%d", cmp.Or(port.Protocol, corev1.ProtocolTCP), port.HostPort)
				b.hostPorts[key] = append(b.hostPorts[key], hostPort{ip, p.Namespace + "/" + p.Name})
			}
		}
	}
}

// held says in words who has a port of one of the board's addresses, or of all of them: a Service there would take it
// away from a pod or a process.
func (b *builder) held(ip netip.Addr, protocol corev1.Protocol, port int32) string {
	for _, h := range b.hostPorts[fmt.Sprintf("%s/%d", protocol, port)] {
		if !h.ip.IsValid() || h.ip == ip || !ip.IsValid() && !h.ip.IsLoopback() {
			return "a host port of pod " + h.pod
		}
	}
	if b.in.InUse != nil && b.in.InUse(ip, netns.ProtocolOf(string(protocol)), uint16(port)) {
		b.out.Recheck = true
		return "used by a process of this machine"
	}
	return ""
}

// onBoard puts a port of a Service onto the board's addresses and those that lead to it, where it is nobody else's.
func (b *builder) onBoard(s *corev1.Service, p *corev1.ServicePort, out *netns.ServicePort) {
	const remedy = ", which keeps it; change the port of one of them"
	if out.NodePort != 0 {
		if who := b.held(netip.Addr{}, p.Protocol, p.NodePort); who != "" {
			b.problem(s, "PortTaken", fmt.Sprintf("node port %d/%s is %s%s", p.NodePort, p.Protocol, who, remedy))
			out.NodePort = 0
		}
	}
	for _, text := range outside(s) {
		ip, err := netip.ParseAddr(text)
		if err != nil || leadsTo(out, ip) || !b.claim(s, fmt.Sprintf("%s %s", ip, portKey(p))) {
			continue
		}
		if who := b.held(ip, p.Protocol, p.Port); who != "" {
			b.problem(s, "PortTaken", fmt.Sprintf("%s port %d/%s is %s%s", ip, p.Port, p.Protocol, who, remedy))
			continue
		}
		out.External = append(out.External, ip)
	}
}

// leadsTo says whether an address is an endpoint's own: a pod on the host's network answers there by itself.
func leadsTo(out *netns.ServicePort, ip netip.Addr) bool {
	for _, e := range out.Endpoints {
		if e.Addr == netip.AddrPortFrom(ip, out.Port) {
			return true
		}
	}
	return false
}

// onNetwork tells of ClusterIPs that hide somebody on a network of the board.
func (b *builder) onNetwork(s *corev1.Service, ip netip.Addr) {
	for _, n := range b.in.Networks {
		if n.Contains(ip) {
			b.problem(s, "ClusterIPOnHostNetwork", fmt.Sprintf("%s is also an address of %s, to which this machine has a route: who has it there cannot be reached; choose another serviceCIDR in podd's configuration", ip, n))
		}
	}
}
