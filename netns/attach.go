package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Attachment is a pod's place on the network.
type Attachment struct {
	IP      netip.Addr
	Gateway netip.Addr
	MAC     string // of the pod's end
	HostIf  string // the host's end, a port of the bridge
}

// Attach gives the network namespace at netnsPath an address and a way out, as interface eth0.
// Repeating it returns the same attachment and completes what is missing. EnsureHost comes first.
// errors.Is ErrExhausted: every address is taken.
func (n *Network) Attach(id, netnsPath string) (Attachment, error) {
	ns, err := os.Open(netnsPath)
	if err != nil {
		return Attachment{}, fmt.Errorf("cannot open network namespace: %w", err)
	}
	defer ns.Close()
	host, err := n.host()
	if err != nil {
		return Attachment{}, err
	}
	ip, err := n.leases.acquire(id)
	if err != nil {
		return Attachment{}, err
	}
	v := vethPair{
		host: hostIf(id), peer: podIf, peerNS: int(ns.Fd()),
		mac: macOf(ip), bridge: int(n.bridge.Load()), mtu: n.cfg.MTU,
	}
	if err := n.ensureVeth(host, v); err != nil {
		return Attachment{}, fmt.Errorf("cannot attach veth for pod %q: %w", id, err)
	}
	addr := netip.PrefixFrom(ip, n.cfg.CIDR.Bits())
	err = inNetns(v.peerNS, func(pod *rtnl) error { return configure(pod, addr, n.gateway) })
	if err != nil {
		return Attachment{}, fmt.Errorf("cannot configure network of pod %q: %w", id, err)
	}
	return Attachment{IP: ip, Gateway: n.gateway, MAC: v.mac.String(), HostIf: v.host}, nil
}

// ensureVeth makes the pair, or deals with the leftovers of an earlier attempt.
func (n *Network) ensureVeth(host *rtnl, v vethPair) error {
	_, err := host.do(v.create())
	if errors.Is(err, unix.EEXIST) {
		return adoptVeth(host, v)
	}
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) {
		// The bridge was replaced under us: its index is part of the request.
		if err := n.EnsureHost(); err != nil {
			return err
		}
		if v.bridge == int(n.bridge.Load()) {
			return err
		}
		v.bridge = int(n.bridge.Load())
		_, err = host.do(v.create())
	}
	return err
}

// adoptVeth keeps a pair whose ends belong together, and replaces anything else.
func adoptVeth(host *rtnl, v vethPair) error {
	outer, err := host.getLink(v.host)
	if err != nil {
		return err
	}
	err = inNetns(v.peerNS, func(pod *rtnl) error {
		inner, err := pod.getLink(v.peer)
		if err != nil {
			return err
		}
		if outer != nil && inner != nil && outer.peer == inner.index && inner.peer == outer.index {
			return nil
		}
		outer = nil
		return pod.deleteLink(v.peer)
	})
	if err != nil {
		return err
	}
	if outer != nil {
		_, err = host.do(enslave(outer.index, v.bridge))
		return err
	}
	if err := host.deleteLink(v.host); err != nil {
		return err
	}
	_, err = host.do(v.create())
	return err
}

// configure gives the pod's end its address and the way out.
func configure(pod *rtnl, addr netip.Prefix, gateway netip.Addr) error {
	answers, err := pod.do(noLinkLocal(podIf), byName(unix.RTM_GETLINK, podIf))
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) { // a kernel without IPv6 is quiet anyway
		return err
	}
	l, err := parseLink(answers[1])
	if err != nil {
		return err
	}
	_, err = pod.do(setUp(l.index), setAddr(l.index, addr), setDefaultRoute(l.index, gateway))
	return err
}

// inNetns opens a socket inside the namespace and lets fn use it. The socket keeps its
// namespace, so that the thread is back before fn starts.
func inNetns(ns int, fn func(*rtnl) error) error {
	var c *rtnl
	err := onThreadSoon(func() (err error) {
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("cannot enter network namespace: %w", err)
		}
		c, err = dial()
		return err
	}, unix.CLONE_NEWNET)
	if err != nil {
		return err
	}
	defer c.close()
	return fn(c)
}

// Lease returns the address that id holds.
func (n *Network) Lease(id string) (netip.Addr, bool) { return n.leases.lookup(id) }
