package netns

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// HostIPs are the node's addresses: those of the interface with the default route first, IPv4
// before IPv6, each in the kernel's order. Loopback, link-local and interfaces named in except
// (the pods' bridge) are left out. Without any route it works too; without any address it
// returns none.
func HostIPs(except ...string) ([]netip.Addr, error) {
	skip := map[int]bool{}
	links, err := retryDump(listLinks)
	if err != nil {
		return nil, fmt.Errorf("cannot list interfaces: %w", err)
	}
	for _, l := range links {
		if l.index == loopbackIndex || slices.Contains(except, l.name) {
			skip[l.index] = true
		}
	}
	addrs, err := retryDump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("cannot list addresses: %w", err)
	}
	uplinks, err := defaultRoutes()
	if err != nil {
		return nil, err
	}
	return sortHostIPs(addrs, skip, uplinks), nil
}

// sortHostIPs ranks by family, then by whether the interface has the default route.
func sortHostIPs(addrs []netlink.Addr, skip map[int]bool, uplinks map[int]int) []netip.Addr {
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

// defaultRoutes maps interfaces to their rank among those with a default route, lowest metric first.
func defaultRoutes() (map[int]int, error) {
	uplinks := map[int]int{}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		filter := &netlink.Route{Dst: nil, Table: unix.RT_TABLE_MAIN}
		routes, err := retryDump(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, filter, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return nil, fmt.Errorf("cannot list routes: %w", err)
		}
		sort.SliceStable(routes, func(i, j int) bool { return routes[i].Priority < routes[j].Priority })
		for _, r := range routes {
			rankRoute(uplinks, r)
		}
	}
	return uplinks, nil
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
