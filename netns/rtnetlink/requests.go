package rtnetlink

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// LoopbackIndex is that of lo in every network namespace (LOOPBACK_IFINDEX).
const LoopbackIndex = 1

const (
	vethInfoPeer = 1      // VETH_INFO_PEER, linux/veth.h
	SkipStats    = 1 << 3 // RTEXT_FILTER_SKIP_STATS, linux/rtnetlink.h

	inet6AddrGenMode = 8 // IFLA_INET6_ADDR_GEN_MODE, linux/if_link.h
	addrGenModeNone  = 1 // IN6_ADDR_GEN_MODE_NONE
)

// NewLink makes or changes the link of a header.
func NewLink(flags int, info *nl.IfInfomsg) *nl.NetlinkRequest {
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

// SetUp switches a link on.
func SetUp(index int) *nl.NetlinkRequest { return NewLink(0, up(index)) }

// Requests is a list to append to.
func Requests(r ...*nl.NetlinkRequest) []*nl.NetlinkRequest { return r }

// SetMaster makes a link a port of a bridge, or of none (0), and switches it on.
func SetMaster(index, master int) *nl.NetlinkRequest {
	r := SetUp(index)
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master))))
	return r
}

// SetMTU sets the largest packet of a link, in bytes.
func SetMTU(index, mtu int) *nl.NetlinkRequest {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	r := NewLink(0, m)
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(mtu))))
	return r
}

// PodGroup is the interface group of the host's ends ("podl"), by which rules know them.
const PodGroup = 0x706f646c

// HostMAC is that of the host's end of each pair: on a link with two ends it need not be unique.
func HostMAC() net.HardwareAddr { return net.HardwareAddr{0x0a, 0x58, 0, 0, 0, 1} }

// VethPair is a pair whose one end stays with the host and whose other end is born inside the pod's
// network namespace.
type VethPair struct {
	Host   string
	Peer   string
	PeerNS int // descriptor
	MAC    net.HardwareAddr
	MTU    int // 0: the kernel's default
}

// Create is one request for all of it: an interface born in place needs no rename and no move,
// and a move costs a grace period (dev_change_net_namespace). Neither end is up.
func (v VethPair) Create() *nl.NetlinkRequest {
	r := NewLink(unix.NLM_F_CREATE|unix.NLM_F_EXCL, nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.Host)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, HostMAC()))
	r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(PodGroup)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, []byte("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(vethInfoPeer, nil)
	peer.AddChild(nl.NewIfInfomsg(unix.AF_UNSPEC))
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.Peer))
	peer.AddRtAttr(unix.IFLA_ADDRESS, v.MAC)
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(v.PeerNS)))
	if v.MTU > 0 {
		r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.MTU))))
		peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.MTU)))
	}
	r.AddData(info)
	return r
}

// CreateBridge makes a bridge without ports: a place for the node's addresses on the pod network that every
// kernel with containers has. Its own address says that podd made it.
func CreateBridge(name string, mac net.HardwareAddr) *nl.NetlinkRequest {
	r := NewLink(unix.NLM_F_CREATE|unix.NLM_F_EXCL, up(0))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, []byte("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	data.AddRtAttr(nl.IFLA_BR_STP_STATE, nl.Uint32Attr(0))
	r.AddData(info)
	return r
}

// ByName asks for a link, or deletes it.
func ByName(request int, name string) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(request, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	if request == unix.RTM_GETLINK {
		r.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(SkipStats)))
	}
	return r
}

// NoLinkLocal keeps the kernel from giving the link an fe80:: address when it comes up: nobody needs it, and
// it costs eight multicasts (its detection, group reports, router solicitations) at each end.
func NoLinkLocal(name string) *nl.NetlinkRequest {
	r := ByName(unix.RTM_NEWLINK, name)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	inet6 := spec.AddRtAttr(unix.AF_INET6, nil)
	inet6.AddRtAttr(inet6AddrGenMode, nl.Uint8Attr(addrGenModeNone))
	r.AddData(spec)
	return r
}

// Numbers of an interface's IPv4 settings, IPV4_DEVCONF_* of linux/ip.h, and the attribute that they are nested in.
const (
	inetConf         = 1 // IFLA_INET_CONF
	confSourceRoutes = 9
	confARPFilter    = 13
)

// Distrust keeps the host's end of a pod's link from believing the pod: ARP in the name of addresses that are not routed
// to it would fill the table of neighbours, which all links share; a source route would lead packets past the policies,
// which see their next stop only.
func Distrust(name string) *nl.NetlinkRequest {
	r := ByName(unix.RTM_NEWLINK, name)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	settings := spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(inetConf, nil)
	settings.AddRtAttr(confSourceRoutes, nl.Uint32Attr(0))
	settings.AddRtAttr(confARPFilter, nl.Uint32Attr(1))
	r.AddData(spec)
	return r
}

func familyNumber(ip netip.Addr) int {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// SetAddr gives the link an address, without the wait for somebody else who might have it: podd hands them out.
func SetAddr(index int, p netip.Prefix) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	m := nl.NewIfAddrmsg(familyNumber(p.Addr()))
	m.Index = uint32(index)
	m.Prefixlen = uint8(p.Bits())
	if p.Addr().Is6() {
		m.Flags = unix.IFA_F_NODAD
	}
	r.AddData(m)
	addr := p.Addr().AsSlice()
	r.AddData(nl.NewRtAttr(unix.IFA_LOCAL, addr))
	r.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, addr))
	return r
}

// SetNeighbour says for good where an address is on the link.
func SetNeighbour(index int, ip netip.Addr, mac net.HardwareAddr) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	r.AddData(&netlink.Ndmsg{Family: uint8(familyNumber(ip)), Index: uint32(index), State: unix.NUD_PERMANENT})
	r.AddData(nl.NewRtAttr(unix.NDA_DST, ip.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.NDA_LLADDR, mac))
	return r
}

func newRoute(family int) (*nl.NetlinkRequest, *nl.RtMsg) {
	r := nl.NewNetlinkRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	m := nl.NewRtMsg()
	m.Family = uint8(family)
	r.AddData(m)
	return r, m
}

// SetDefaultRoute sends everything to the gateway, which no address of the link's makes a neighbour.
func SetDefaultRoute(index int, gateway netip.Addr) *nl.NetlinkRequest {
	r, m := newRoute(familyNumber(gateway))
	m.Flags = unix.RTNH_F_ONLINK
	r.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, gateway.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	return r
}

// SetHostRoute sends what is for one address into the link.
func SetHostRoute(index int, ip netip.Addr) *nl.NetlinkRequest {
	return SetLinkRoute(index, netip.PrefixFrom(ip, ip.BitLen()))
}

// SetLinkRoute sends what is for a network into the link.
func SetLinkRoute(index int, p netip.Prefix) *nl.NetlinkRequest {
	r, m := newRoute(familyNumber(p.Addr()))
	m.Scope = unix.RT_SCOPE_LINK
	m.Dst_len = uint8(p.Bits())
	r.AddData(nl.NewRtAttr(unix.RTA_DST, p.Addr().AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	return r
}

// SetUnreachable answers for the addresses of a network that no other route takes.
func SetUnreachable(p netip.Prefix) *nl.NetlinkRequest {
	r, m := newRoute(familyNumber(p.Addr()))
	m.Type = unix.RTN_UNREACHABLE
	m.Dst_len = uint8(p.Bits())
	r.AddData(nl.NewRtAttr(unix.RTA_DST, p.Addr().AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(unreachableMetric)))
	return r
}

// unreachableMetric is behind all that anybody would choose.
const unreachableMetric = 1 << 30
