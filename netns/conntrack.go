package netns

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"podd/netns/nft"
	"podd/netns/rtnetlink"
)

// Messages, attributes and states of connection tracking (linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h).
const (
	ctGet, ctDelete = 1, 2 // IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE

	ctTupleOrig  = 1  // CTA_TUPLE_ORIG
	ctTupleReply = 2  // CTA_TUPLE_REPLY
	ctStatus     = 3  // CTA_STATUS
	ctID         = 12 // CTA_ID
	ctZone       = 18 // CTA_ZONE

	ctTupleIP    = 1 // CTA_TUPLE_IP
	ctTupleProto = 2 // CTA_TUPLE_PROTO
	ctProtoNum   = 1 // CTA_PROTO_NUM
	ctSourcePort = 2 // CTA_PROTO_SRC_PORT
	ctDestPort   = 3 // CTA_PROTO_DST_PORT

	ctAssured   = 1 << 2 // IPS_ASSURED: it has been answered, and is more than an attempt
	ctSourceNAT = 1 << 4 // IPS_SRC_NAT
)

// flow is what the kernel remembers of one connection, or of an exchange of datagrams.
type flow struct {
	protocol       Protocol
	client, server netip.AddrPort // where its first packet came from and went to
	from, to       netip.AddrPort // likewise of an answer, before it is translated back
	status         uint32

	orig, id, zone []byte // by which the kernel knows it
}

// settled says that the flow is a connection that stands: both ends would lose it.
func (f *flow) settled() bool { return f.protocol != UDP && f.status&ctAssured != 0 }

// forgetFlows makes the kernel forget the flows that are stale: their next packet is looked up in the rules of now.
func forgetFlows(stale func(*flow) bool) error {
	c, err := nft.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	list := &nft.Batch{}
	list.Header(unix.NFNL_SUBSYS_CTNETLINK<<8|ctGet, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, unix.AF_UNSPEC)
	list.Close()
	deletions, err := rtnetlink.RetryDump(func() (*nft.Batch, error) {
		b := &nft.Batch{}
		return b, c.Dump(list, func(data []byte) {
			if f, ok := parseFlow(data); ok && stale(&f) {
				forgetFlow(b, &f)
			}
		})
	})
	if err != nil {
		return fmt.Errorf("cannot list connections: %w", err)
	}
	if err := c.Send(deletions); err != nil {
		return fmt.Errorf("cannot forget connections: %w", err)
	}
	return nil
}

func forgetFlow(b *nft.Batch, f *flow) {
	family := byte(unix.AF_INET)
	if f.client.Addr().Is6() {
		family = unix.AF_INET6
	}
	b.Header(unix.NFNL_SUBSYS_CTNETLINK<<8|ctDelete, unix.NLM_F_REQUEST, family)
	b.Attr(ctTupleOrig|unix.NLA_F_NESTED, f.orig)
	b.Attr(ctID, f.id)
	if f.zone != nil {
		b.Attr(ctZone, f.zone)
	}
	b.Close()
}

// parseFlow reads one entry of a dump. The flow borrows nothing of it.
func parseFlow(data []byte) (f flow, ok bool) {
	var reply bool
	rtnetlink.EachAttr(data, func(kind uint16, value []byte) {
		switch kind {
		case ctTupleOrig:
			f.protocol, f.client, f.server = parseTuple(value)
			f.orig = bytes.Clone(value)
		case ctTupleReply:
			_, f.from, f.to = parseTuple(value)
			reply = f.from.IsValid()
		case ctStatus:
			if len(value) == 4 {
				f.status = binary.BigEndian.Uint32(value)
			}
		case ctID:
			f.id = bytes.Clone(value)
		case ctZone:
			f.zone = bytes.Clone(value)
		}
	})
	return f, reply && f.client.IsValid() && f.server.IsValid()
}

func parseTuple(tuple []byte) (p Protocol, src, dst netip.AddrPort) {
	var srcIP, dstIP netip.Addr
	var srcPort, dstPort uint16
	rtnetlink.EachAttr(tuple, func(part uint16, value []byte) {
		rtnetlink.EachAttr(value, func(kind uint16, v []byte) {
			switch {
			case part == ctTupleIP && kind&1 == 1: // CTA_IP_V4_SRC 1, CTA_IP_V6_SRC 3
				srcIP, _ = netip.AddrFromSlice(v)
			case part == ctTupleIP: // CTA_IP_V4_DST 2, CTA_IP_V6_DST 4
				dstIP, _ = netip.AddrFromSlice(v)
			case part == ctTupleProto && kind == ctProtoNum && len(v) == 1:
				p = Protocol(v[0])
			case part == ctTupleProto && kind == ctSourcePort && len(v) == 2:
				srcPort = binary.BigEndian.Uint16(v)
			case part == ctTupleProto && kind == ctDestPort && len(v) == 2:
				dstPort = binary.BigEndian.Uint16(v)
			}
		})
	})
	return p, netip.AddrPortFrom(srcIP, srcPort), netip.AddrPortFrom(dstIP, dstPort)
}
