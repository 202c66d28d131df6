package netns

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// loopbackIndex is that of lo in every network namespace (LOOPBACK_IFINDEX).
const loopbackIndex = 1

const (
	vethInfoPeer = 1      // VETH_INFO_PEER, linux/veth.h
	skipStats    = 1 << 3 // RTEXT_FILTER_SKIP_STATS, linux/rtnetlink.h

	inet6AddrGenMode = 8 // IFLA_INET6_ADDR_GEN_MODE, linux/if_link.h
	addrGenModeNone  = 1 // IN6_ADDR_GEN_MODE_NONE
)

func newLink(flags int, info *nl.IfInfomsg) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_NEWLINK, flags)
	r.AddData(info)
	return r
}

// up is an interface header that brings it up.
func up(index int) *nl.IfInfomsg {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	m.Flags, m.Change = unix.IFF_UP, unix.IFF_UP
	return m
}

func setUp(index int) *nl.NetlinkRequest { return newLink(0, up(index)) }

// enslave makes the link a port of the bridge and brings it up. It is doomed no longer, in case
// a crash came between the mark and the deletion.
func enslave(index, bridge int) *nl.NetlinkRequest {
	r := setUp(index)
	r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(0)))
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(bridge))))
	return r
}

// vethPair is a pair whose one end is a port of the bridge and whose other end is born inside the
// pod's network namespace.
type vethPair struct {
	host   string
	peer   string
	peerNS int // descriptor
	mac    net.HardwareAddr
	bridge int
	mtu    int // 0: the kernel's default
}

// create is one request for all of it: an interface born in place needs no rename and no move,
// and a move costs a grace period (dev_change_net_namespace).
func (v vethPair) create() *nl.NetlinkRequest {
	r := newLink(unix.NLM_F_CREATE|unix.NLM_F_EXCL, up(0))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.host)))
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(v.bridge))))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, []byte("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(vethInfoPeer, nil)
	// Not up: the kernel opens it before it knows its other end, and refuses (ENOTCONN).
	peer.AddChild(nl.NewIfInfomsg(unix.AF_UNSPEC))
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.peer))
	peer.AddRtAttr(unix.IFLA_ADDRESS, v.mac)
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(v.peerNS)))
	if v.mtu > 0 {
		r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.mtu))))
		peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.mtu)))
	}
	r.AddData(info)
	return r
}

// createBridge has an address of its own: without one a bridge takes the lowest of its ports',
// and changes it, under open connections, when ports come and go.
func createBridge(name string, mac net.HardwareAddr, mtu int) *nl.NetlinkRequest {
	r := newLink(unix.NLM_F_CREATE|unix.NLM_F_EXCL, up(0))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	if mtu > 0 {
		r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(mtu))))
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, []byte("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	data.AddRtAttr(nl.IFLA_BR_STP_STATE, nl.Uint32Attr(0))
	r.AddData(info)
	return r
}

// byName asks for a link, or deletes it.
func byName(request int, name string) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(request, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	if request == unix.RTM_GETLINK {
		r.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)))
	}
	return r
}

// noLinkLocal keeps the kernel from giving the link an fe80:: address when it comes up. That address
// costs eight multicasts (its detection, group reports, router solicitations), which the bridge
// copies to every other pod: with a hundred pods, 800 packets a start.
func noLinkLocal(name string) *nl.NetlinkRequest {
	r := byName(unix.RTM_NEWLINK, name)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	inet6 := spec.AddRtAttr(unix.AF_INET6, nil)
	inet6.AddRtAttr(inet6AddrGenMode, nl.Uint8Attr(addrGenModeNone))
	r.AddData(spec)
	return r
}

// setAddr gives the link an address; the route to its network comes with it.
func setAddr(index int, p netip.Prefix) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	m := nl.NewIfAddrmsg(unix.AF_INET)
	m.Index = uint32(index)
	m.Prefixlen = uint8(p.Bits())
	r.AddData(m)
	addr := p.Addr().AsSlice()
	r.AddData(nl.NewRtAttr(unix.IFA_LOCAL, addr))
	r.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, addr))
	r.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, lastAddr(p).AsSlice()))
	return r
}

// setDefaultRoute sends everything that no other route takes to the gateway.
func setDefaultRoute(index int, gateway netip.Addr) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	m := nl.NewRtMsg()
	m.Family = unix.AF_INET
	r.AddData(m)
	r.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, gateway.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	return r
}
