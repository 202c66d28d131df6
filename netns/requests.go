package netns

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
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

func requests(r ...*nl.NetlinkRequest) []*nl.NetlinkRequest { return r }

func setMaster(index, master int) *nl.NetlinkRequest {
	r := setUp(index)
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master))))
	return r
}

func setMTU(index, mtu int) *nl.NetlinkRequest {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	r := newLink(0, m)
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(mtu))))
	return r
}

// podGroup is the interface group of the host's ends ("podl"), by which rules know them.
const podGroup = 0x706f646c

// hostMAC is that of the host's end of each pair: on a link with two ends it need not be unique.
func hostMAC() net.HardwareAddr { return net.HardwareAddr{0x0a, 0x58, 0, 0, 0, 1} }

// vethPair is a pair whose one end stays with the host and whose other end is born inside the pod's
// network namespace.
type vethPair struct {
	host   string
	peer   string
	peerNS int // descriptor
	mac    net.HardwareAddr
	mtu    int // 0: the kernel's default
}

// create is one request for all of it: an interface born in place needs no rename and no move,
// and a move costs a grace period (dev_change_net_namespace). Neither end is up.
func (v vethPair) create() *nl.NetlinkRequest {
	r := newLink(unix.NLM_F_CREATE|unix.NLM_F_EXCL, nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.host)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, hostMAC()))
	r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(podGroup)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, []byte("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(vethInfoPeer, nil)
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

// createBridge makes a bridge without ports: a place for the node's addresses on the pod network that every
// kernel with containers has. Its own address says that podd made it.
func createBridge(name string, mac net.HardwareAddr) *nl.NetlinkRequest {
	r := newLink(unix.NLM_F_CREATE|unix.NLM_F_EXCL, up(0))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
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

// noLinkLocal keeps the kernel from giving the link an fe80:: address when it comes up: nobody needs it, and
// it costs eight multicasts (its detection, group reports, router solicitations) at each end.
func noLinkLocal(name string) *nl.NetlinkRequest {
	r := byName(unix.RTM_NEWLINK, name)
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

// distrust keeps the host's end of a pod's link from believing the pod: ARP in the name of addresses that are not routed
// to it would fill the table of neighbours, which all links share; a source route would lead packets past the policies,
// which see their next stop only.
func distrust(name string) *nl.NetlinkRequest {
	r := byName(unix.RTM_NEWLINK, name)
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

// setAddr gives the link an address, without the wait for somebody else who might have it: podd hands them out.
func setAddr(index int, p netip.Prefix) *nl.NetlinkRequest {
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

// setNeighbour says for good where an address is on the link.
func setNeighbour(index int, ip netip.Addr, mac net.HardwareAddr) *nl.NetlinkRequest {
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

// setDefaultRoute sends everything to the gateway, which no address of the link's makes a neighbour.
func setDefaultRoute(index int, gateway netip.Addr) *nl.NetlinkRequest {
	r, m := newRoute(familyNumber(gateway))
	m.Flags = unix.RTNH_F_ONLINK
	r.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, gateway.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	return r
}

// setHostRoute sends what is for one address into the link.
func setHostRoute(index int, ip netip.Addr) *nl.NetlinkRequest {
	return setLinkRoute(index, netip.PrefixFrom(ip, ip.BitLen()))
}

func setLinkRoute(index int, p netip.Prefix) *nl.NetlinkRequest {
	r, m := newRoute(familyNumber(p.Addr()))
	m.Scope = unix.RT_SCOPE_LINK
	m.Dst_len = uint8(p.Bits())
	r.AddData(nl.NewRtAttr(unix.RTA_DST, p.Addr().AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	return r
}

// setUnreachable answers for the addresses of a network that no other route takes.
func setUnreachable(p netip.Prefix) *nl.NetlinkRequest {
	r, m := newRoute(familyNumber(p.Addr()))
	m.Type = unix.RTN_UNREACHABLE
	m.Dst_len = uint8(p.Bits())
	r.AddData(nl.NewRtAttr(unix.RTA_DST, p.Addr().AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(unreachableMetric)))
	return r
}

// unreachableMetric is behind all that anybody would choose.
const unreachableMetric = 1 << 30
