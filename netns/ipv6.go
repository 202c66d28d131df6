package netns

import (
	"errors"

	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// IPv6 can be switched off and on again at any time: for the machine, for an interface, for interfaces to come
// (net.ipv6.conf.{all,NAME,default}.disable_ipv6), and within a pod. Where it is off, the others have IPv4 only. A pod that
// has begun without it stays so, as its containers know it by the addresses of its beginning; one that had it has it again.

// smallestMTU6 is what a link must carry for the kernel to use IPv6 on it. RFC 8200, section 5
const smallestMTU6 = 1280

// UsesIPv6 says whether pods that begin now may get IPv6 addresses: they are configured, and EnsureHost has found that the
// machine has IPv6 enabled.
func (n *Network) UsesIPv6() bool { return n.cfg.CIDR6.IsValid() && !n.without6.Load() }

// linkHasIPv6 asks the kernel about one link of the machine's. It has no settings for a link whose MTU is too small.
func (n *Network) linkHasIPv6(name string) bool {
	on, err := n.forwarding.sysctlIs("net/ipv6/conf/"+name+"/disable_ipv6", "0")
	return err == nil && on
}

// lookForIPv6 finds out whether the machine lets the pods' bridge have IPv6.
func (n *Network) lookForIPv6() {
	if !n.cfg.CIDR6.IsValid() {
		return
	}
	off := !n.linkHasIPv6(n.cfg.Bridge)
	if n.without6.Swap(off) == off || n.cfg.Changed == nil {
		return
	}
	if off {
		n.cfg.Changed(IPv6Disabled, "IPv6 is disabled on this machine (net.ipv6.conf."+n.cfg.Bridge+".disable_ipv6): new pods have IPv4 addresses only, and nobody reaches pods over IPv6")
	} else {
		n.cfg.Changed(IPv6Enabled, "IPv6 is enabled on this machine again: new pods have IPv6 addresses")
	}
}

// sixOn says whether a pod can have IPv6 at the machine's end of its link, and tells once that it cannot.
func (n *Network) sixOn(v rtnetlink.VethPair) bool {
	if !n.UsesIPv6() {
		return false
	}
	on := n.linkHasIPv6(v.Host) && (v.MTU == 0 || v.MTU >= smallestMTU6)
	if n.links4.Swap(!on) != on || n.cfg.Changed == nil {
		return on
	}
	if on {
		n.cfg.Changed(IPv6Enabled, "IPv6 is enabled on new interfaces again: new pods have IPv6 addresses")
	} else {
		n.cfg.Changed(IPv6Disabled, "IPv6 is disabled on new interfaces of this machine (net.ipv6.conf.default.disable_ipv6), or their MTU is below 1280: new pods have IPv4 addresses only")
	}
	return on
}

// Reasons that Config.Changed is told.
const (
	IPv6Disabled = "IPv6Disabled"
	IPv6Enabled  = "IPv6Enabled"
)

// isWithoutIPv6 tells the kernel's refusal of an IPv6 address on a link: the kernel or the link does without.
func isWithoutIPv6(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAFNOSUPPORT)
}

// setIPv4Only notes whether an attached pod has no IPv6 address, and says whether that is news.
func (n *Network) setIPv4Only(id string, only bool) bool {
	n.podsMu.Lock()
	defer n.podsMu.Unlock()
	p, ok := n.pods[id]
	news := ok && p.IPv4Only != only
	if news {
		p.IPv4Only = only
		n.pods[id] = p
	}
	return news
}
