package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// HostIPs are the node's addresses: those of the interface with the default route first, IPv4
// before IPv6, each in the kernel's order. Loopback, link-local and interfaces named in except
// (the pods' bridge) are left out. Without any route it works too; without any address it
// returns none.
func HostIPs(except ...string) ([]netip.Addr, error) {
	skip := map[int]bool{}
	links, err := rtnetlink.RetryDump(ListLinks)
	if err != nil {
		return nil, fmt.Errorf("cannot list interfaces: %w", err)
	}
	for _, l := range links {
		if l.Index == rtnetlink.LoopbackIndex || slices.Contains(except, l.Name) {
			skip[l.Index] = true
		}
	}
	addrs, err := rtnetlink.RetryDump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("cannot list addresses: %w", err)
	}
	routes, err := MainRoutes()
	if err != nil {
		return nil, err
	}
	return SortHostIPs(addrs, skip, DefaultRoutes(routes)), nil
}

// sortHostIPs ranks by family, then by whether the interface has the default route.
func SortHostIPs(addrs []netlink.Addr, skip map[int]bool, uplinks map[int]int) []netip.Addr {
	type ranked struct {
		ip   netip.Addr
		rank int
	}
	var all []ranked
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap()
		usable := ok && !skip[a.LinkIndex] && ip.IsGlobalUnicast() &&
			a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DEPRECATED|unix.IFA_F_DADFAILED) == 0
		if !usable {
			continue
		}
		rank, up := uplinks[a.LinkIndex]
		if !up {
			rank = len(uplinks)
		}
		if ip.Is6() {
			rank += len(uplinks) + 1
		}
		all = append(all, ranked{ip, rank})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].rank < all[j].rank })
	ips := make([]netip.Addr, len(all))
	for i := range all {
		ips[i] = all[i].ip
	}
	return slices.Compact(ips)
}

// defaultRoutes maps interfaces to their rank among those with a default route: IPv4 first, then the lowest metric.
func DefaultRoutes(routes []netlink.Route) map[int]int {
	defaults := slices.DeleteFunc(slices.Clone(routes), func(r netlink.Route) bool { return !isDefault(r) })
	sort.SliceStable(defaults, func(i, j int) bool {
		a, b := &defaults[i], &defaults[j]
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Priority, b.Priority)) < 0
	})
	uplinks := map[int]int{}
	for _, r := range defaults {
		rankRoute(uplinks, r)
	}
	return uplinks
}

func isDefault(r netlink.Route) bool {
	if r.Dst == nil {
		return true
	}
	bits, _ := r.Dst.Mask.Size()
	return bits == 0
}

func rankRoute(uplinks map[int]int, r netlink.Route) {
	indexes := []int{r.LinkIndex}
	for _, hop := range r.MultiPath {
		indexes = append(indexes, hop.LinkIndex)
	}
	for _, i := range indexes {
		if _, known := uplinks[i]; i != 0 && !known {
			uplinks[i] = len(uplinks)
		}
	}
}

// listLinks leaves the statistics out: they are the larger part of the answer.
func ListLinks() ([]*rtnetlink.Link, error) {
	r := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(rtnetlink.SkipStats)))
	msgs, err := r.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, err
	}
	links := make([]*rtnetlink.Link, 0, len(msgs))
	for _, m := range msgs {
		l, perr := rtnetlink.ParseLink(m)
		if perr != nil {
			return nil, perr
		}
		links = append(links, l)
	}
	return links, err
}

// mainRoutes are those of both families.
func MainRoutes() ([]netlink.Route, error) {
	var all []netlink.Route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := rtnetlink.RetryDump(func() ([]netlink.Route, error) { return netlink.RouteList(nil, family) })
		if err != nil {
			return nil, fmt.Errorf("cannot list routes: %w", err)
		}
		all = append(all, routes...)
	}
	return all, nil
}
