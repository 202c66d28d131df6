package netns

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"podd/netns/inspect"
	"podd/netns/nft"
	"podd/netns/rtnetlink"
)

// Collect drops the links and the leases of all ids that are not in keep.
func (n *Network) Collect(keep map[string]bool) error {
	kept := make(map[string]bool, len(keep))
	for id := range keep {
		if keep[id] {
			kept[hostIf(id)] = true
		}
	}
	errs := []error{n.collectLinks(kept)}
	ids, err := n.leases.Holders()
	errs = append(errs, err)
	var gone []netip.Addr
	for _, id := range ids {
		if !keep[id] {
			gone = append(gone, n.addressesOf(id)...)
			n.forget(id)
			errs = append(errs, n.leases.Release(id))
		}
	}
	return errors.Join(append(errs, forgetFlowsOf(gone))...)
}

// collectLinks looks at veths that have our kind of name and are in our group or about to be deleted; those
// that are routed to addresses of another network have another owner.
func (n *Network) collectLinks(kept map[string]bool) error {
	links, err := rtnetlink.RetryDump(inspect.ListLinks)
	if err != nil {
		return fmt.Errorf("cannot list interfaces: %w", err)
	}
	others, err := n.linksOfOthers()
	if err != nil {
		return err
	}
	var stale []string
	for _, l := range links {
		ours := isHostIf(l.Name) && l.Kind == "veth" && (l.Group == rtnetlink.PodGroup || l.Group == nft.MarkedForDeletion) && !others[l.Index]
		if ours && !kept[l.Name] {
			stale = append(stale, l.Name)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	return errors.Join(deleteLinks(stale)...)
}

// linksOfOthers are those that another pod network's addresses are routed to.
func (n *Network) linksOfOthers() (map[int]bool, error) {
	routes, err := rtnetlink.RetryDump(func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, fmt.Errorf("cannot list routes: %w", err)
	}
	others := map[int]bool{}
	for _, r := range routes {
		if r.Dst == nil || r.LinkIndex == 0 {
			continue
		}
		if ip, ok := netip.AddrFromSlice(r.Dst.IP); ok && !n.cfg.CIDR.Contains(ip.Unmap()) {
			others[r.LinkIndex] = true
		}
	}
	return others, nil
}
