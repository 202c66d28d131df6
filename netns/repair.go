package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"podd/netns/nft"
	"podd/netns/rtnetlink"
)

// repairer judges what the kernel tells of changes, and puts back what somebody took away.
type repairer struct{ n *Network }

const (
	rtmNewNetconf     = 80 // RTM_NEWNETCONF, linux/rtnetlink.h
	netconfIndex      = 1  // NETCONFA_IFINDEX, linux/netconf.h
	netconfForwarding = 2  // NETCONFA_FORWARDING
	netconfEverywhere = -1 // NETCONFA_IFINDEX_ALL
)

// repair puts right what the hints are about.
func (rp repairer) repair(h hint) error {
	var errs []error
	if h&hintRules != 0 {
		if err := rp.n.rules.tampered(); err != nil {
			errs = append(errs, fmt.Errorf("cannot put the firewall rules back: %w", err))
		}
		errs = append(errs, rp.n.forgetAllMisled())
	}
	if h&(hintHost|hintMoved) != 0 {
		mtu, six := rp.n.mtu.Load(), rp.n.UsesIPv6()
		errs = append(errs, rp.n.hostSide.ensureShared())
		if rp.n.mtu.Load() != mtu || rp.n.UsesIPv6() && !six {
			h |= hintAllPods
		}
	}
	suspects := rp.takeSuspects()
	if h&hintAllPods != 0 {
		suspects = rp.n.attached()
	}
	for _, p := range suspects {
		errs = append(errs, rp.n.repairPod(p))
	}
	return errors.Join(errs...)
}

// judgeRules: only podd's own table matters, and only what somebody else has done to it.
func (rp repairer) classifyRules(m rtnetlink.Message) hint {
	if m.Kind>>8 != unix.NFNL_SUBSYS_NFTABLES || len(m.Data) < nft.NfgenmsgSize || m.Port == rp.n.rules.port() {
		return 0
	}
	h := hint(0)
	if kind := m.Kind & 0xff; kind == unix.NFT_MSG_NEWGEN || m.Data[0] != unix.NFPROTO_INET {
		return 0
	}
	rtnetlink.EachAttr(m.Data[nft.NfgenmsgSize:], func(kind uint16, value []byte) {
		// NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE: all 1.
		if kind == unix.NFTA_TABLE_NAME && unix.ByteSliceToString(value) == rp.n.cfg.TableName {
			h = hintRules
		}
	})
	if h != 0 && byPackets(m) {
		return 0
	}
	return h
}

// byPackets says that packets have filled or left a set with a timeout: nobody has changed anything.
func byPackets(m rtnetlink.Message) bool {
	kind := m.Kind & 0xff
	if kind != unix.NFT_MSG_NEWSETELEM && kind != unix.NFT_MSG_DELSETELEM {
		return false
	}
	name := ""
	rtnetlink.EachAttr(m.Data[nft.NfgenmsgSize:], func(kind uint16, value []byte) {
		if kind == unix.NFTA_SET_ELEM_LIST_SET {
			name = unix.ByteSliceToString(value)
		}
	})
	return len(name) > 3 && name[:3] == affinityPrefix
}

func (rp repairer) classifyRoutes(m rtnetlink.Message) hint {
	switch m.Kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return rp.classifyLink(m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return rp.classifyAddr(m)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return rp.classifyRoute(m)
	case rtmNewNetconf:
		return classifyNetconf(m)
	}
	return 0
}

// judgeLink: the bridge must be there and up; a pod's link must not go while its pod is attached, and comes into the
// world down.
func (rp repairer) classifyLink(m rtnetlink.Message) hint {
	l, err := rtnetlink.ParseLink(m.Data)
	if err != nil {
		return 0
	}
	gone := m.Kind == unix.RTM_DELLINK
	switch {
	case l.Name == rp.n.cfg.Bridge:
		if gone || !l.Up {
			return hintHost
		}
	case isHostIf(l.Name):
		if gone || !l.Up && !l.Fresh || l.Master != 0 {
			return rp.suspect(func(id string) bool { return hostIf(id) == l.Name })
		}
	default:
		return hintMoved
	}
	return 0
}

func (rp repairer) classifyAddr(m rtnetlink.Message) hint {
	if len(m.Data) < unix.SizeofIfAddrmsg {
		return 0
	}
	if index := int64(binary.NativeEndian.Uint32(m.Data[4:])); index != rp.n.bridge.Load() {
		return hintMoved
	}
	if m.Kind == unix.RTM_DELADDR {
		return hintHost
	}
	return 0
}

// judgeRoute: a route that has come or gone elsewhere may be a way out, or a network that has pods'
// addresses. Those to pods and Services are podd's own, and may only go with their pods.
func (rp repairer) classifyRoute(m rtnetlink.Message) hint {
	if len(m.Data) < unix.SizeofRtMsg {
		return 0
	}
	if m.Data[4] != unix.RT_TABLE_MAIN {
		if m.Kind == unix.RTM_NEWROUTE && m.Data[7] == unix.RTN_MULTICAST && rp.n.without6.Load() {
			return hintHost // a link has IPv6 now: ff00::/8 comes with it
		}
		return 0
	}
	gone, bits, kind := m.Kind == unix.RTM_DELROUTE, int(m.Data[1]), m.Data[7]
	var dst netip.Addr
	oif := 0
	rtnetlink.EachAttr(m.Data[unix.SizeofRtMsg:], func(attr uint16, value []byte) {
		switch attr {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(value)
		case unix.RTA_OIF:
			oif = rtnetlink.Number(value)
		}
	})
	ours := slices.ContainsFunc(rp.n.networks(), func(p netip.Prefix) bool { return dst.IsValid() && p.Contains(dst) })
	switch {
	case ours && bits == dst.BitLen():
		if gone {
			return rp.suspect(func(id string) bool { return slices.Contains(rp.n.addressesOf(id), dst) })
		}
	case ours && kind == unix.RTN_UNREACHABLE, int64(oif) == rp.n.bridge.Load():
		if gone {
			return hintHost
		}
	case !dst.IsLinkLocalUnicast() && !dst.IsMulticast():
		return hintMoved
	}
	return 0
}

// classifyNetconf: forwarding was turned off, or on by somebody else.
func classifyNetconf(m rtnetlink.Message) hint {
	everywhere, h := false, hint(0)
	const netconfMsg = 1 // bytes: the family
	if len(m.Data) < rtnetlink.Align4(netconfMsg) {
		return 0
	}
	rtnetlink.EachAttr(m.Data[rtnetlink.Align4(netconfMsg):], func(kind uint16, value []byte) {
		// The index is the first attribute (inet_netconf_fill_devconf).
		switch {
		case kind == netconfIndex:
			everywhere = int32(rtnetlink.Number(value)) == netconfEverywhere
		case kind == netconfForwarding && (rtnetlink.Number(value) == 0 || everywhere && rtnetlink.Number(value) != forwardingForPods):
			h = hintHost
		}
	})
	return h
}

// suspect marks the attached pods of whom an event tells nothing good. A pod that is being detached is
// forgotten first.
func (rp repairer) suspect(is func(id string) bool) hint {
	rp.n.podsMu.Lock()
	defer rp.n.podsMu.Unlock()
	h := hint(0)
	for id := range rp.n.pods {
		if is(id) {
			rp.n.suspects[id] = true
			h = hintPods
		}
	}
	return h
}

// takeSuspects returns the marked pods. Events of a pod's own beginning mark it too: where all is well now,
// nothing is done.
func (rp repairer) takeSuspects() []Pod {
	rp.n.podsMu.Lock()
	defer rp.n.podsMu.Unlock()
	var pods []Pod
	for id := range rp.n.suspects {
		if p, ok := rp.n.pods[id]; ok {
			pods = append(pods, p)
		}
	}
	clear(rp.n.suspects)
	return pods
}
