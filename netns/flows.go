package netns

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"podd/netns/nft"
	"podd/netns/rtnetlink"
)

// frontend is where clients send to. With an unspecified address it is a port of all addresses that the node has in that
// family.
type frontend struct {
	protocol Protocol
	at       netip.AddrPort
}

// frontends are what the rules translate, each with the endpoints that it leads to; without any it is not translated.
//
// The kernel translates a flow as the rules of its first packet said, for as long as it goes on. Of UDP that is for ever for
// a client with a port of its own: also where its server has gone, and where there was none when it began. SCTP begins an
// association again and again from one port. A TCP connection that was refused is looked up anew by the kernel itself.
type frontends map[frontend]map[netip.AddrPort]bool

// addService adds the frontends of a Service, as they lead to ends.
func (f frontends) addService(p *ServicePort, ends []Endpoint) {
	if p.Protocol == TCP {
		return
	}
	to := make(map[netip.AddrPort]bool, len(ends))
	// Terminating ones among them: what they have begun goes on, as TCP's connections do.
	for _, e := range ends {
		to[e.Addr] = true
	}
	for _, list := range [][]netip.Addr{p.ClusterIPs, p.External} {
		for _, ip := range list {
			f[frontend{p.Protocol, netip.AddrPortFrom(ip, p.Port)}] = to
		}
	}
	if p.NodePort != 0 {
		for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			f[frontend{p.Protocol, netip.AddrPortFrom(any, p.NodePort)}] = to
		}
	}
}

// addPod adds the host ports of a pod that has these addresses.
func (f frontends) addPod(p *Pod, addresses []netip.Addr) {
	for _, port := range p.Ports {
		if port.Protocol == TCP {
			continue
		}
		for _, ip := range addresses {
			of := nft.FamilyOf(ip)
			if !port.covers(of) || p.IPv4Only && ip.Is6() {
				continue
			}
			at := port.HostIP
			if !at.IsValid() {
				at = of.Any.Addr()
			}
			f[frontend{port.Protocol, netip.AddrPortFrom(at, port.HostPort)}] = map[netip.AddrPort]bool{netip.AddrPortFrom(ip, port.Container): true}
		}
	}
}

// isStale says whether a flow goes elsewhere than the rules lead now. local are the node's addresses.
func (f frontends) isStale(w *flow, local map[netip.Addr]bool) bool {
	if w.settled() {
		return false
	}
	to, ok := f[frontend{w.protocol, w.server}]
	if ip := w.server.Addr(); !ok && (local[ip] || ip.IsLoopback()) {
		to, ok = f[frontend{w.protocol, netip.AddrPortFrom(nft.FamilyOf(ip).Any.Addr(), w.server.Port())}]
	}
	if ok && len(to) == 0 {
		return w.from != w.server
	}
	return ok && !to[w.from]
}

// forgetStale makes the kernel forget flows to the frontends that go elsewhere.
func (f frontends) forgetStale() error {
	if len(f) == 0 {
		return nil
	}
	local, err := localAddresses()
	if err != nil {
		return err
	}
	return forgetFlows(func(w *flow) bool { return f.isStale(w, local) })
}

// localAddresses are all that the node has.
func localAddresses() (map[netip.Addr]bool, error) {
	addrs, err := rtnetlink.RetryDump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("cannot list addresses: %w", err)
	}
	local := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			local[ip.Unmap()] = true
		}
	}
	return local, nil
}

// forgetAllMisled looks at all flows that the rules are for: others may have begun while the rules were not in force. What a
// pod sent out then has the pod's own address, to which nobody can answer.
func (n *Network) forgetAllMisled() error {
	f := frontends{}
	n.rules.eachService(func(p *ServicePort) { f.addService(p, p.Endpoints) })
	for _, p := range n.attached() {
		f.addPod(&p, n.addressesOf(p.ID))
	}
	local, err := localAddresses()
	if err != nil {
		return err
	}
	pods := n.networks()
	within := func(ip netip.Addr) bool {
		return slices.ContainsFunc(pods, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	return forgetFlows(func(w *flow) bool {
		if f.isStale(w, local) {
			return true
		}
		out := w.from.Addr()
		away := within(w.client.Addr()) && !within(out) && !local[out] && !out.IsLoopback() && !out.IsMulticast()
		return away && !w.settled() && w.status&ctSourceNAT == 0
	})
}

// forgetFlowsOf makes the kernel forget all that has to do with addresses that no pod has any more: the next pod that gets
// one must not get what was sent to the last, past its policies.
func forgetFlowsOf(gone []netip.Addr) error {
	if len(gone) == 0 {
		return nil
	}
	is := make(map[netip.Addr]bool, len(gone))
	for _, ip := range gone {
		is[ip] = true
	}
	return forgetFlows(func(w *flow) bool {
		return is[w.client.Addr()] || is[w.server.Addr()] || is[w.from.Addr()] || is[w.to.Addr()]
	})
}

// reportFlows reports connections that could not be forgotten: it is no reason to keep a pod from starting or ending.
func (n *Network) reportFlows(err error) {
	if tell := n.trouble.Load(); tell != nil {
		(*tell)("connections", err)
	}
}
