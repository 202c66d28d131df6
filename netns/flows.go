package netns

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// flowKey is where a client sends to.
type flowKey struct {
	addr netip.AddrPort // the zero address for a port of the node
}

// staleFlows matches remembered UDP flows to changed Services that end where no endpoint is any more, or
// that began before there was one.
type staleFlows struct {
	fronts map[flowKey]map[netip.AddrPort]bool // to the endpoints of now
}

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (s staleFlows) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	if flow.Forward.Protocol != uint8(UDP) {
		return false
	}
	dst, ok1 := netip.AddrFromSlice(flow.Forward.DstIP)
	src, ok2 := netip.AddrFromSlice(flow.Reverse.SrcIP)
	if !ok1 || !ok2 {
		return false
	}
	dst, src = dst.Unmap(), src.Unmap()
	ends, ok := s.fronts[flowKey{netip.AddrPortFrom(dst, flow.Forward.DstPort)}]
	if !ok {
		ends, ok = s.fronts[flowKey{netip.AddrPortFrom(netip.Addr{}, flow.Forward.DstPort)}]
		// The node's own use of the port is nobody's flow: it was never translated.
		ok = ok && dst != src
	}
	return ok && !ends[netip.AddrPortFrom(src, flow.Reverse.SrcPort)]
}

// forgetFlows drops what the kernel remembers of UDP towards the changed Services and has become wrong.
func forgetFlows(changed []ServicePort) error {
	stale := staleFlows{fronts: map[flowKey]map[netip.AddrPort]bool{}}
	for i := range changed {
		if changed[i].Protocol == UDP {
			stale.add(&changed[i])
		}
	}
	if len(stale.fronts) == 0 {
		return nil
	}
	return deleteFlows(stale)
}

func (s staleFlows) add(p *ServicePort) {
	ends := make(map[netip.AddrPort]bool, len(p.Endpoints))
	// Terminating ones among them: what they have begun goes on, as TCP's connections do.
	for _, e := range p.Endpoints {
		ends[e.Addr] = true
	}
	for _, list := range [][]netip.Addr{p.ClusterIPs, p.External} {
		for _, ip := range list {
			s.fronts[flowKey{netip.AddrPortFrom(ip, p.Port)}] = ends
		}
	}
	if p.NodePort != 0 {
		s.fronts[flowKey{netip.AddrPortFrom(netip.Addr{}, p.NodePort)}] = ends
	}
}

func deleteFlows(filter netlink.CustomConntrackFilter) error {
	var errs []error
	for _, f := range []netlink.InetFamily{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		_, err := retryDump(func() (uint, error) {
			return netlink.ConntrackDeleteFilters(netlink.ConntrackTable, f, filter)
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
