package netns

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Offsets in the IPv4 header (RFC 791).
const (
	offsetSource      = 12
	offsetDestination = 16
)

// statements are, in the words of nft(8):
//
//	chain postrouting: ip saddr CIDR ip daddr != CIDR ip daddr != 224.0.0.0/4
//	                   oifname != "BRIDGE" masquerade fully-random
//	chain forward:     iifname "BRIDGE" accept
//	                   oifname "BRIDGE" accept
func (n *Network) statements() []*nftables.Rule {
	t := n.table()
	forward := &nftables.Chain{Name: chainForward, Table: t}
	accept := &expr.Verdict{Kind: expr.VerdictAccept}
	return []*nftables.Rule{{
		Table: t, Chain: &nftables.Chain{Name: chainMasquerade, Table: t},
		UserData: []byte("pods leave with the node's address"),
		Exprs:    n.masquerade(),
	}, {
		Table: t, Chain: forward, UserData: []byte("from pods"),
		Exprs: append(matchIf(expr.MetaKeyIIFNAME, expr.CmpOpEq, n.cfg.Bridge), accept),
	}, {
		Table: t, Chain: forward, UserData: []byte("to pods"),
		Exprs: append(matchIf(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.cfg.Bridge), accept),
	}}
}

func (n *Network) masquerade() []expr.Any {
	multicast := netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4)
	var e []expr.Any
	e = append(e, matchNet(offsetSource, expr.CmpOpEq, n.cfg.CIDR)...)
	e = append(e, matchNet(offsetDestination, expr.CmpOpNeq, n.cfg.CIDR)...)
	e = append(e, matchNet(offsetDestination, expr.CmpOpNeq, multicast)...)
	e = append(e, matchIf(expr.MetaKeyOIFNAME, expr.CmpOpNeq, n.cfg.Bridge)...)
	// Ports drawn at random: two pods that take the same one at once do not lose a packet to
	// the race (as kube-proxy's --random-fully).
	return append(e, &expr.Masq{FullyRandom: true})
}

func matchIf(key expr.MetaKey, op expr.CmpOp, name string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: op, Register: 1, Data: ifname(name)},
	}
}

func matchNet(offset uint32, op expr.CmpOp, p netip.Prefix) []expr.Any {
	addr := p.Masked().Addr().As4()
	mask := [4]byte{}
	for bit := range p.Bits() {
		mask[bit/8] |= 0x80 >> (bit % 8)
	}
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask[:], Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: 1, Data: addr[:]},
	}
}
