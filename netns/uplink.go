package netns

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"podd/netns/inspect"
	"podd/netns/rtnetlink"
)

// uplinks follows the node's other networks.
type uplinks struct{ n *Network }

// checkUplinks learns what the machine's other networks mean for the pods: the MTU, and addresses that
// somebody else has. The routes are read before the interfaces: so each route's interface is among these,
// or is gone by now and its route with it.
func (up uplinks) checkUplinks() error {
	routes, err := inspect.MainRoutes()
	if err != nil {
		return err
	}
	links, err := rtnetlink.RetryDump(inspect.ListLinks)
	if err != nil {
		return fmt.Errorf("cannot list interfaces: %w", err)
	}
	up.n.mtu.Store(int64(up.chooseMTU(links, inspect.DefaultRoutes(routes))))
	pods, services := up.findOverlaps(links, routes)
	up.n.overlap.Store(pods)
	up.n.shadowed.Store(&services)
	forwarded := up.n.forwarding.forwarded()
	for _, l := range links {
		if l.Kind == "bridge" && l.Name != up.n.cfg.Bridge {
			forwarded.bridges = append(forwarded.bridges, l.Index)
		}
	}
	slices.Sort(forwarded.bridges)
	if err := up.n.rules.setRouting(forwarded); err != nil {
		return fmt.Errorf("cannot limit what is forwarded to what pods need: %w", err)
	}
	return nil
}

// Overlaps are networks of the machine that have addresses of Services'.
func (s *Services) Overlaps() []netip.Prefix {
	if list := s.n.shadowed.Load(); list != nil {
		return *list
	}
	return nil
}

// chooseMTU is the smallest of the interfaces with a default route, so that no pod sends what the way out
// would have to cut; 0 is the kernel's choice.
func (up uplinks) chooseMTU(links []*rtnetlink.Link, uplinks map[int]int) int {
	if up.n.cfg.MTU > 0 {
		return up.n.cfg.MTU
	}
	mtu := 0
	for _, l := range links {
		if _, up := uplinks[l.Index]; up && l.MTU > 0 && (mtu == 0 || l.MTU < mtu) {
			mtu = l.MTU
		}
	}
	return min(mtu, maxVethMTU)
}

const maxVethMTU = 65535 // ETH_MAX_MTU, linux/if_ether.h

// overlap names a network of the machine that has addresses of one of podd's.
type overlap struct{ own, other netip.Prefix }

// findOverlaps finds whose addresses the pods' and the Services' networks have too.
func (up uplinks) findOverlaps(links []*rtnetlink.Link, routes []netlink.Route) (pods *overlap, services []netip.Prefix) {
	foreign := map[int]bool{0: true} // a route of several hops has no interface of its own
	for _, l := range links {
		foreign[l.Index] = l.Name != up.n.cfg.Bridge && l.Group != rtnetlink.PodGroup && !isHostIf(l.Name)
	}
	for _, r := range routes {
		if !foreign[r.LinkIndex] {
			continue
		}
		if o := overlapWith(up.n.networks(), r); o != nil && pods == nil {
			pods = o
		}
		if o := overlapWith(up.n.cfg.ServiceCIDRs, r); o != nil {
			services = append(services, o.other)
		}
	}
	return pods, services
}

// overlapWith finds routes into one of some networks, and networks that the machine is on and these lie in.
// A wider network behind a router is in nobody's way: the narrower route wins.
func overlapWith(own []netip.Prefix, r netlink.Route) *overlap {
	if r.Dst == nil || r.Type != unix.RTN_UNICAST {
		return nil
	}
	ip, ok := netip.AddrFromSlice(r.Dst.IP)
	bits, _ := r.Dst.Mask.Size()
	if !ok || bits == 0 {
		return nil
	}
	other := netip.PrefixFrom(ip.Unmap(), bits)
	for _, p := range own {
		if p.Overlaps(other) && (other.Bits() >= p.Bits() || r.Gw == nil && len(r.MultiPath) == 0) {
			return &overlap{p, other}
		}
	}
	return nil
}

// refuseOverlap keeps pods from starting on addresses that are somebody else's. Those that have theirs stay.
func (up uplinks) refuseOverlap(id string) error {
	if _, has := up.n.leases.Lookup(id); has {
		return nil
	}
	return up.n.Overlap()
}

// Overlap is ErrOverlap while another network of the machine has addresses of the pods'.
func (n *Network) Overlap() error {
	o := n.overlap.Load()
	if o == nil {
		return nil
	}
	return fmt.Errorf("%w: pods have %s, but this machine has a route to %s; choose another podCIDR", ErrOverlap, o.own, o.other)
}
