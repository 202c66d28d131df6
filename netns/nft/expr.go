package nft

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// Family is what rules say once for each of the two.
type Family struct {
	Suffix string // of the names of sets
	proto  byte   // NFPROTO_*
	Addr   Field
	Source uint32 // offset in the header (RFC 791, RFC 8200)
	Dest   uint32
	Words  uint32 // registers that an address takes
	Bits   int
	Any    netip.Prefix
}

// Families is a function for the sake of starts without a network.
func Families() [2]Family {
	return [2]Family{{
		Suffix: "4", proto: unix.NFPROTO_IPV4, Addr: Field4, Source: 12, Dest: 16, Words: 1, Bits: 32,
		Any: netip.PrefixFrom(netip.IPv4Unspecified(), 0),
	}, {
		Suffix: "6", proto: unix.NFPROTO_IPV6, Addr: field6, Source: 8, Dest: 24, Words: 4, Bits: 128,
		Any: netip.PrefixFrom(netip.IPv6Unspecified(), 0),
	}}
}

func FamilyOf(ip netip.Addr) Family {
	if ip.Is4() {
		return Families()[0]
	}
	return Families()[1]
}

// Reg is a register of four bytes.
func Reg(n uint32) uint32 { return unix.NFT_REG32_00 + n }

func One(e ...expr.Any) []expr.Any { return e }

func Verdict(kind expr.VerdictKind) []expr.Any { return One(&expr.Verdict{Kind: kind}) }

func Jump(chain string) []expr.Any { return One(&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}) }

// GoTo continues in another chain and does not come back.
func GoTo(chain string) []expr.Any { return One(&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}) }

// MetaIs compares a number of the packet's surroundings, kept in the host's order.
func MetaIs(key expr.MetaKey, op expr.CmpOp, value uint32) []expr.Any {
	return One(&expr.Meta{Key: key, Register: Reg(0)},
		&expr.Cmp{Op: op, Register: Reg(0), Data: binary.NativeEndian.AppendUint32(nil, value)})
}

// MarkedForDeletion is the interface group of links about to be deleted ("podd").
const MarkedForDeletion = 0x706f6464

// PodGroupIs compares the group of a packet's interface with that of pods' links, those marked for deletion among them.
func PodGroupIs(key expr.MetaKey, op expr.CmpOp) []expr.Any {
	word := func(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
	return One(&expr.Meta{Key: key, Register: Reg(0)},
		&expr.Bitwise{SourceRegister: Reg(0), DestRegister: Reg(0), Len: 4, Mask: word(^uint32(rtnetlink.PodGroup ^ MarkedForDeletion)), Xor: word(0)},
		&expr.Cmp{Op: op, Register: Reg(0), Data: word(rtnetlink.PodGroup & MarkedForDeletion)})
}

func (f Family) Only() []expr.Any {
	return One(&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: Reg(0)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: Reg(0), Data: []byte{f.proto}})
}

// LoadAddr puts an address of the header into registers from r on.
func (f Family) LoadAddr(offset, r uint32) []expr.Any {
	return One(&expr.Payload{DestRegister: Reg(r), Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: f.Addr.Size})
}

// LoadPort puts protocol and destination port, which TCP, UDP and SCTP have in one place, into r and r+1.
func LoadPort(r uint32) []expr.Any {
	return One(&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: Reg(r)},
		&expr.Payload{DestRegister: Reg(r + 1), Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2})
}

// In says whether the key in the registers is in the set.
func In(set string, invert bool) []expr.Any {
	return One(&expr.Lookup{SourceRegister: Reg(0), SetName: set, Invert: invert})
}

// Vmap goes where the map says.
func Vmap(set string) []expr.Any {
	return One(&expr.Lookup{SourceRegister: Reg(0), SetName: set, DestRegister: unix.NFT_REG_VERDICT, IsDestRegSet: true})
}

// Lookup replaces the key in the registers by the map's value.
func Lookup(set string) []expr.Any {
	return One(&expr.Lookup{SourceRegister: Reg(0), SetName: set, DestRegister: Reg(0), IsDestRegSet: true})
}

// Dnat sends the connection to the address and the port that the registers hold.
func (f Family) Dnat() []expr.Any {
	return One(&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(f.proto), RegAddrMin: Reg(0), RegProtoMin: Reg(f.Words)})
}

// InNet compares an address with a network.
func (f Family) InNet(offset uint32, op expr.CmpOp, p netip.Prefix) []expr.Any {
	size := f.Addr.Size
	return append(f.LoadAddr(offset, 0),
		&expr.Bitwise{SourceRegister: Reg(0), DestRegister: Reg(0), Len: size, Mask: maskOf(p), Xor: make([]byte, size)},
		&expr.Cmp{Op: op, Register: Reg(0), Data: p.Masked().Addr().AsSlice()})
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
	CtEstablished = 1 << 1
	CtRelated     = 1 << 2
	CtDestNAT     = 1 << 5
)

func CtHas(key expr.CtKey, bits uint32, op expr.CmpOp) []expr.Any {
	mask := binary.NativeEndian.AppendUint32(nil, bits)
	return One(&expr.Ct{Key: key, Register: Reg(0)},
		&expr.Bitwise{SourceRegister: Reg(0), DestRegister: Reg(0), Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: Reg(0), Data: make([]byte, 4)})
}

// ToThisHost matches destinations that are the node's own addresses.
func ToThisHost() []expr.Any {
	return One(&expr.Fib{Register: Reg(0), FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: Reg(0), Data: binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)})
}

// FromThisHost matches sources that are the node's own addresses.
func FromThisHost() []expr.Any {
	return One(&expr.Fib{Register: Reg(0), FlagSADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: Reg(0), Data: binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)})
}

// Refuse answers at once, so that nobody waits for what will not come.
func Refuse(c *Chain, comment string, match ...[]expr.Any) {
	tcp := One(&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: Reg(0)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: Reg(0), Data: []byte{unix.IPPROTO_TCP}})
	c.Add(comment, append(match, tcp, One(&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}))...)
	c.Add(comment, append(match, One(&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}))...)
}

// Keys and values as the kernel compares them: each field fills whole registers.

func KeyOf(parts ...[]byte) string {
	var key []byte
	for _, p := range parts {
		key = append(key, p...)
		for len(key)%4 != 0 {
			key = append(key, 0)
		}
	}
	return string(key)
}

func PortBytes(port uint16) []byte { return binary.BigEndian.AppendUint16(nil, port) }

func AddrPortValue(a netip.AddrPort) string { return KeyOf(a.Addr().AsSlice(), PortBytes(a.Port())) }
