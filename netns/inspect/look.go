// Package inspect looks at the network of the machine: its routes, addresses and the rules of others.
package inspect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/nft"
	"podd/netns/rtnetlink"
)

// Route is one route of the machine.
type Route struct {
	To   netip.Prefix // 0.0.0.0/0 and ::/0 are the default routes
	Link string       // the interface, empty if there is none
}

// Routes reads the main routing tables of both families.
func Routes() ([]Route, error) {
	links, err := rtnetlink.RetryDump(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("cannot list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	routes, err := MainRoutes()
	if err != nil {
		return nil, err
	}
	list := make([]Route, 0, len(routes))
	for _, r := range routes {
		to := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Family == netlink.FAMILY_V6 {
			to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if r.Dst != nil {
			addr, _ := netip.AddrFromSlice(r.Dst.IP)
			bits, _ := r.Dst.Mask.Size()
			to = netip.PrefixFrom(addr.Unmap(), bits)
		}
		list = append(list, Route{to, names[r.LinkIndex]})
	}
	return list, nil
}

// Chain is one base chain of the machine's firewall, whoever made it.
type Chain struct {
	Family, Table, Name, Hook string
	Drop                      bool // what no rule accepts is dropped
}

// Attributes of chains, linux/netfilter/nf_tables.h.
const (
	chainTable   = 1
	chainName    = 3
	chainHook    = 4
	chainPolicy  = 5
	hookNumber   = 1
	policyDrop   = 0
	attrTypeMask = 0x3fff // NLA_TYPE_MASK
)

// BaseChains reads the chains of nftables through which packets go. iptables makes such chains too, unless it is the
// legacy one.
func BaseChains() ([]Chain, error) {
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_UNSPEC})
	messages, err := rtnetlink.RetryDump(func() ([][]byte, error) { return request.Execute(unix.NETLINK_NETFILTER, 0) })
	if err != nil {
		return nil, fmt.Errorf("cannot list nftables chains: %w", err)
	}
	var list []Chain
	for _, m := range messages {
		if c, ok := parseChain(m); ok {
			list = append(list, c)
		}
	}
	return list, nil
}

// parseChain reads one chain; false: it is not a base chain.
func parseChain(m []byte) (Chain, bool) {
	if len(m) < nft.NfgenmsgSize {
		return Chain{}, false
	}
	attrs, err := nl.ParseRouteAttr(m[nft.NfgenmsgSize:])
	if err != nil {
		return Chain{}, false
	}
	c, base := Chain{Family: familyName(m[0])}, false
	for _, a := range attrs {
		switch a.Attr.Type & attrTypeMask {
		case chainTable:
			c.Table = strings.TrimRight(string(a.Value), "\x00")
		case chainName:
			c.Name = strings.TrimRight(string(a.Value), "\x00")
		case chainHook:
			c.Hook, base = parseHook(m[0], a.Value)
		case chainPolicy:
			c.Drop = len(a.Value) == 4 && binary.BigEndian.Uint32(a.Value) == policyDrop
		}
	}
	return c, base
}

func parseHook(family byte, value []byte) (string, bool) {
	attrs, err := nl.ParseRouteAttr(value)
	if err != nil {
		return "", false
	}
	hooks := []string{"prerouting", "input", "forward", "output", "postrouting"} // linux/netfilter.h
	if family == unix.NFPROTO_NETDEV || family == unix.NFPROTO_ARP {
		hooks = nil
	}
	for _, a := range attrs {
		if a.Attr.Type&attrTypeMask == hookNumber && len(a.Value) == 4 {
			if n := binary.BigEndian.Uint32(a.Value); int(n) < len(hooks) {
				return hooks[n], true
			}
		}
	}
	return "", true
}

func familyName(f byte) string {
	switch f {
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	case unix.NFPROTO_INET:
		return "inet"
	case unix.NFPROTO_BRIDGE:
		return "bridge"
	case unix.NFPROTO_ARP:
		return "arp"
	case unix.NFPROTO_NETDEV:
		return "netdev"
	}
	return fmt.Sprint(f)
}
