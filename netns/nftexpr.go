package netns

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// family is what rules say once for each of the two.
type family struct {
	suffix string // of the names of sets
	proto  byte   // NFPROTO_*
	addr   field
	source uint32 // offset in the header (RFC 791, RFC 8200)
	dest   uint32
	words  uint32 // registers that an address takes
	bits   int
	any    netip.Prefix
}

// families is a function for the sake of starts without a network.
func families() [2]family {
	return [2]family{{
		suffix: "4", proto: unix.NFPROTO_IPV4, addr: field4, source: 12, dest: 16, words: 1, bits: 32,
		any: netip.PrefixFrom(netip.IPv4Unspecified(), 0),
	}, {
		suffix: "6", proto: unix.NFPROTO_IPV6, addr: field6, source: 8, dest: 24, words: 4, bits: 128,
		any: netip.PrefixFrom(netip.IPv6Unspecified(), 0),
	}}
}

func familyOf(ip netip.Addr) family {
	if ip.Is4() {
		return families()[0]
	}
	return families()[1]
}

// reg is a register of four bytes.
func reg(n uint32) uint32 { return unix.NFT_REG32_00 + n }

func one(e ...expr.Any) []expr.Any { return e }

func verdict(kind expr.VerdictKind) []expr.Any { return one(&expr.Verdict{Kind: kind}) }

func jump(chain string) []expr.Any { return one(&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}) }

// goTo continues in another chain and does not come back.
func goTo(chain string) []expr.Any { return one(&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}) }

// metaIs compares a number of the packet's surroundings, kept in the host's order.
func metaIs(key expr.MetaKey, op expr.CmpOp, value uint32) []expr.Any {
	return one(&expr.Meta{Key: key, Register: reg(0)},
		&expr.Cmp{Op: op, Register: reg(0), Data: binary.NativeEndian.AppendUint32(nil, value)})
}

// podGroupIs compares the group of a packet's interface with that of pods' links, alive and doomed.
func podGroupIs(key expr.MetaKey, op expr.CmpOp) []expr.Any {
	word := func(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
	return one(&expr.Meta{Key: key, Register: reg(0)},
		&expr.Bitwise{SourceRegister: reg(0), DestRegister: reg(0), Len: 4, Mask: word(^uint32(rtnetlink.PodGroup ^ doomed)), Xor: word(0)},
		&expr.Cmp{Op: op, Register: reg(0), Data: word(rtnetlink.PodGroup & doomed)})
}

func (f family) only() []expr.Any {
	return one(&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg(0)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg(0), Data: []byte{f.proto}})
}

// loadAddr puts an address of the header into registers from r on.
func (f family) loadAddr(offset, r uint32) []expr.Any {
	return one(&expr.Payload{DestRegister: reg(r), Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: f.addr.size})
}

// loadPort puts protocol and destination port, which TCP, UDP and SCTP have in one place, into r and r+1.
func loadPort(r uint32) []expr.Any {
	return one(&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg(r)},
		&expr.Payload{DestRegister: reg(r + 1), Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2})
}

// in says whether the key in the registers is in the set.
func in(set string, invert bool) []expr.Any {
	return one(&expr.Lookup{SourceRegister: reg(0), SetName: set, Invert: invert})
}

// vmap goes where the map says.
func vmap(set string) []expr.Any {
	return one(&expr.Lookup{SourceRegister: reg(0), SetName: set, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true})
}

// lookup replaces the key in the registers by the map's value.
func lookup(set string) []expr.Any {
	return one(&expr.Lookup{SourceRegister: reg(0), SetName: set, DestRegister: reg(0), IsDestRegSet: true})
}

// dnat sends the connection to the address and the port that the registers hold.
func (f family) dnat() []expr.Any {
	return one(&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(f.proto), RegAddrMin: reg(0), RegProtoMin: reg(f.words)})
}

// inNet compares an address with a network.
func (f family) inNet(offset uint32, op expr.CmpOp, p netip.Prefix) []expr.Any {
	size := f.addr.size
	return append(f.loadAddr(offset, 0),
		&expr.Bitwise{SourceRegister: reg(0), DestRegister: reg(0), Len: size, Mask: maskOf(p), Xor: make([]byte, size)},
		&expr.Cmp{Op: op, Register: reg(0), Data: p.Masked().Addr().AsSlice()})
}

func maskOf(p netip.Prefix) []byte {
	mask := make([]byte, p.Addr().BitLen()/8)
	for bit := range p.Bits() {
		mask[bit/8] |= 0x80 >> (bit % 8)
	}
	return mask
}

// Bits of "ct state" (NF_CT_STATE_BIT, linux/netfilter/nf_conntrack_common.h) and "ct status" (IPS_DST_NAT).
const (
	ctEstablished = 1 << 1
	ctRelated     = 1 << 2
	ctDestNAT     = 1 << 5
)

func ctHas(key expr.CtKey, bits uint32, op expr.CmpOp) []expr.Any {
	mask := binary.NativeEndian.AppendUint32(nil, bits)
	return one(&expr.Ct{Key: key, Register: reg(0)},
		&expr.Bitwise{SourceRegister: reg(0), DestRegister: reg(0), Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: reg(0), Data: make([]byte, 4)})
}

// toThisHost matches destinations that are the node's own addresses.
func toThisHost() []expr.Any {
	return one(&expr.Fib{Register: reg(0), FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg(0), Data: binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)})
}

// fromThisHost matches sources that are the node's own addresses.
func fromThisHost() []expr.Any {
	return one(&expr.Fib{Register: reg(0), FlagSADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg(0), Data: binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)})
}

// refuse answers at once, so that nobody waits for what will not come.
func refuse(c *chain, comment string, match ...[]expr.Any) {
	tcp := one(&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg(0)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg(0), Data: []byte{unix.IPPROTO_TCP}})
	c.add(comment, append(match, tcp, one(&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}))...)
	c.add(comment, append(match, one(&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}))...)
}

// Keys and values as the kernel compares them: each field fills whole registers.

func keyOf(parts ...[]byte) string {
	var key []byte
	for _, p := range parts {
		key = append(key, p...)
		for len(key)%4 != 0 {
			key = append(key, 0)
		}
	}
	return string(key)
}

func portBytes(port uint16) []byte { return binary.BigEndian.AppendUint16(nil, port) }

func addrPortValue(a netip.AddrPort) string { return keyOf(a.Addr().AsSlice(), portBytes(a.Port())) }
