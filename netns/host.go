package netns

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// hostSide is what all pods share on the node.
type hostSide struct{ n *Network }

// EnsureHost makes what all pods share: the gateway's addresses, routes, forwarding, and the nftables
// table. It repairs what is missing or was changed, and leaves alone what is right.
func (n *Network) EnsureHost() error {
	n.hostMu.Lock()
	defer n.hostMu.Unlock()
	if err := n.hostSide.ensureLinks(); err != nil {
		return err
	}
	if err := n.rules.ensure(); err != nil {
		return fmt.Errorf("cannot prepare nftables table %s: %w", n.cfg.TableName, err)
	}
	return n.forwarding.ensureForwarding()
}

// ensureShared is EnsureHost but for the rules, which have events of their own.
func (hs hostSide) ensureShared() error {
	hs.n.hostMu.Lock()
	defer hs.n.hostMu.Unlock()
	if err := hs.ensureLinks(); err != nil {
		return err
	}
	return hs.n.forwarding.ensureForwarding()
}

// ensureLinks is all of it that comes before the rules, which come before forwarding: no packet is to slip through
// between.
func (hs hostSide) ensureLinks() error {
	host, err := hs.n.host()
	if err != nil {
		return err
	}
	if err := hs.ensureBridge(host); err != nil {
		return fmt.Errorf("cannot prepare bridge %s: %w", hs.n.cfg.Bridge, err)
	}
	return hs.n.uplinks.checkUplinks()
}

func (hs hostSide) ensureBridge(host *rtnetlink.Conn) error {
	l, err := host.GetLink(hs.n.cfg.Bridge)
	if err != nil {
		return err
	}
	if l == nil {
		if l, err = hs.makeBridge(host); err != nil {
			return err
		}
	}
	if l.Kind != "bridge" {
		return fmt.Errorf("%w: %s", ErrNotABridge, l.Kind)
	}
	hs.n.bridge.Store(int64(l.Index))
	hs.n.lookForIPv6()
	// In one call, but the addresses first: routes need the link to be up with one.
	reqs := rtnetlink.Requests(rtnetlink.SetUp(l.Index))
	for _, p := range hs.n.gateways() {
		if p.Addr().Is4() || hs.n.UsesIPv6() {
			reqs = append(reqs, rtnetlink.SetAddr(l.Index, p))
		}
	}
	if _, err := host.Do(reqs...); ignoreNoIPv6(err) != nil {
		return err
	}
	_, err = host.Do(hs.sharedRoutes(l.Index)...)
	return err
}

// gateways are the node's addresses on the pod network.
func (n *Network) gateways() []netip.Prefix {
	all := []netip.Prefix{netip.PrefixFrom(n.gateway, 32)}
	if n.gateway6.IsValid() {
		all = append(all, netip.PrefixFrom(n.gateway6, 128))
	}
	return all
}

// networks are the pods' ones.
func (n *Network) networks() []netip.Prefix {
	if n.cfg.CIDR6.IsValid() {
		return []netip.Prefix{n.cfg.CIDR, n.cfg.CIDR6}
	}
	return []netip.Prefix{n.cfg.CIDR}
}

// sharedRoutes answer at once for addresses that no pod has, and give the node a way, if only to the rules,
// for what it sends to Services.
func (hs hostSide) sharedRoutes(bridge int) []*nl.NetlinkRequest {
	var reqs []*nl.NetlinkRequest
	for _, p := range hs.n.networks() {
		if p.Addr().Is4() || hs.n.UsesIPv6() {
			reqs = append(reqs, rtnetlink.SetUnreachable(p))
		}
	}
	for _, p := range hs.n.cfg.ServiceCIDRs {
		if p.Addr().Is4() || hs.n.UsesIPv6() {
			reqs = append(reqs, rtnetlink.SetLinkRoute(bridge, p.Masked()))
		}
	}
	return reqs
}

func (hs hostSide) makeBridge(host *rtnetlink.Conn) (*rtnetlink.Link, error) {
	_, err := host.Do(rtnetlink.CreateBridge(hs.n.cfg.Bridge, podMAC(hs.n.gateway)))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	if _, err := host.Do(rtnetlink.NoLinkLocal(hs.n.cfg.Bridge)); ignoreNoIPv6(err) != nil {
		return nil, err
	}
	l, err := host.GetLink(hs.n.cfg.Bridge)
	if err == nil && l == nil {
		err = fmt.Errorf("interface is gone again: %w", unix.ENODEV)
	}
	return l, err
}

// RemoveHost takes the table, the routes and the bridge away. A bridge that podd did not make (its address is
// another) only loses the gateway's addresses. Forwarding that is on for podd's sake alone goes first.
func (n *Network) RemoveHost() error {
	n.hostMu.Lock()
	defer n.hostMu.Unlock()
	host, err := n.host()
	if err != nil {
		return err
	}
	if err := n.forwarding.endForwarding(); err != nil {
		return err
	}
	if err := n.rules.remove(); err != nil {
		return fmt.Errorf("cannot remove nftables table %s: %w", n.cfg.TableName, err)
	}
	for _, p := range n.networks() {
		r := rtnetlink.SetUnreachable(p)
		r.Type, r.Flags = unix.RTM_DELROUTE, unix.NLM_F_REQUEST
		if _, err := host.Do(r); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("cannot remove route to %s: %w", p, err)
		}
	}
	n.bridge.Store(0)
	l, err := host.GetLink(n.cfg.Bridge)
	if err != nil || l == nil {
		return err
	}
	if l.Kind == "bridge" && l.MAC == string(podMAC(n.gateway)) {
		return host.DeleteLink(n.cfg.Bridge)
	}
	for _, p := range n.gateways() {
		r := rtnetlink.SetAddr(l.Index, p)
		r.Type, r.Flags = unix.RTM_DELADDR, unix.NLM_F_REQUEST
		if _, err := host.Do(r); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("cannot take the gateway address off %s: %w", n.cfg.Bridge, err)
		}
	}
	return nil
}
