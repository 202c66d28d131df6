package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// Hop is the next station of packets, as the network namespace of the caller's thread has it.
type Hop struct {
	Link        string
	Up, Carrier bool
	Addressed   bool       // the link has an address of the family that is good beyond it
	Gateway     netip.Addr // zero: there is none, as on point-to-point links
	// Silent: the kernel has asked for the gateway and nobody answered.
	Silent bool
}

// Toward is the hop that packets for an address take; ErrNoRoute if there is none.
func Toward(to netip.Addr) (Hop, error) {
	routes, err := netlink.RouteGet(to.AsSlice())
	if err != nil || len(routes) == 0 {
		return Hop{}, noRoute(to, err)
	}
	return hopOf(routes[0], to.Is6())
}

// ErrNoRoute means that the kernel knows no way to an address.
var ErrNoRoute = errors.New("no route")

func noRoute(to netip.Addr, err error) error {
	if err == nil || errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
		return fmt.Errorf("%w to %s", ErrNoRoute, to)
	}
	return fmt.Errorf("cannot ask for the route to %s: %w", to, err)
}

// Uplink is the hop of the default route of a family, the one that the kernel prefers; ErrNoRoute if there is none.
func Uplink(six bool) (Hop, error) {
	family, any := netlink.FAMILY_V4, netip.IPv4Unspecified()
	if six {
		family, any = netlink.FAMILY_V6, netip.IPv6Unspecified()
	}
	routes, err := rtnetlink.RetryDump(func() ([]netlink.Route, error) { return netlink.RouteList(nil, family) })
	if err != nil {
		return Hop{}, fmt.Errorf("cannot list routes: %w", err)
	}
	routes = slices.DeleteFunc(routes, func(r netlink.Route) bool {
		if r.Dst == nil {
			return r.Type != unix.RTN_UNICAST
		}
		bits, _ := r.Dst.Mask.Size()
		return bits != 0 || r.Type != unix.RTN_UNICAST
	})
	if len(routes) == 0 {
		return Hop{}, noRoute(any, nil)
	}
	return hopOf(slices.MinFunc(routes, func(a, b netlink.Route) int { return cmp.Compare(a.Priority, b.Priority) }), six)
}

func hopOf(r netlink.Route, six bool) (Hop, error) {
	gateway := r.Gw
	if len(r.MultiPath) > 0 {
		r.LinkIndex, gateway = r.MultiPath[0].LinkIndex, r.MultiPath[0].Gw
	}
	link, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil {
		return Hop{}, fmt.Errorf("cannot look at the link of a route: %w", err)
	}
	a := link.Attrs()
	h := Hop{Link: a.Name, Up: a.RawFlags&unix.IFF_UP != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0}
	h.Gateway, _ = netip.AddrFromSlice(gateway)
	h.Gateway = h.Gateway.Unmap()
	family := netlink.FAMILY_V4
	if six {
		family = netlink.FAMILY_V6
	}
	addrs, err := rtnetlink.RetryDump(func() ([]netlink.Addr, error) { return netlink.AddrList(link, family) })
	if err != nil {
		return Hop{}, fmt.Errorf("cannot list the addresses of %s: %w", h.Link, err)
	}
	h.Addressed = slices.ContainsFunc(addrs, func(a netlink.Addr) bool { return a.Scope == unix.RT_SCOPE_UNIVERSE })
	h.Silent, err = silent(r.LinkIndex, family, h.Gateway)
	return h, err
}

// silent looks for a neighbour that the kernel could not find: man 7 arp, "FAILED".
func silent(link, family int, gateway netip.Addr) (bool, error) {
	if !gateway.IsValid() {
		return false, nil
	}
	list, err := rtnetlink.RetryDump(func() ([]netlink.Neigh, error) { return netlink.NeighList(link, family) })
	if err != nil {
		return false, fmt.Errorf("cannot list neighbours: %w", err)
	}
	for _, n := range list {
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == gateway {
			return n.State&(netlink.NUD_FAILED|netlink.NUD_INCOMPLETE) != 0, nil
		}
	}
	return false, nil
}

// Rules is how many rules a chain of a table of the inet family has; 0 if there is no such chain.
func Rules(table, chain string) (int, error) {
	const ruleTable, ruleChain = 1, 2 // linux/netfilter/nf_tables.h
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_INET})
	request.AddData(nl.NewRtAttr(ruleTable, nl.ZeroTerminated(table)))
	request.AddData(nl.NewRtAttr(ruleChain, nl.ZeroTerminated(chain)))
	messages, err := rtnetlink.RetryDump(func() ([][]byte, error) { return request.Execute(unix.NETLINK_NETFILTER, 0) })
	if errors.Is(err, unix.ENOENT) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot list nftables rules: %w", err)
	}
	return len(messages), nil
}
