package netns

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/namespace"
	"podd/netns/rtnetlink"
)

// Pod is what the network has to know of a pod.
type Pod struct {
	ID    string
	Name  string // for sentences
	NetNS string // path of its network namespace
	Ports []HostPort
	// IP is the address that an earlier daemon has attached the pod with, for Restore.
	IP netip.Addr
	// IPv4Only says that it has no IPv6 address, and is to get none. Attach finds out by itself.
	IPv4Only bool
	// Ingress and Egress limit what flows to and from the pod, in bits a second; 0: no limit.
	Ingress, Egress uint64
}

// Attachment is a pod's place on the network.
type Attachment struct {
	IP      netip.Addr
	IP6     netip.Addr // invalid without IPv6
	Gateway netip.Addr
	MAC     string // of the pod's end
	HostIf  string // the host's end
}

// IPs are the pod's addresses, IPv4 first.
func (a Attachment) IPs() []netip.Addr {
	if !a.IP6.IsValid() {
		return []netip.Addr{a.IP}
	}
	return []netip.Addr{a.IP, a.IP6}
}

// Attach gives the pod's network namespace addresses and a way out, as interface eth0, and the pod its host
// ports. The policies that name it are in force before its link is up. Repeating it returns the same
// attachment and completes what is missing. EnsureHost comes first.
// errors.Is ErrExhausted: every address is taken; ErrTaken: a host port is.
func (n *Network) Attach(p Pod) (Attachment, error) {
	ns, err := os.Open(p.NetNS)
	if err != nil {
		return Attachment{}, fmt.Errorf("cannot open network namespace: %w", err)
	}
	defer ns.Close()
	p.IPv4Only = !n.UsesIPv6()
	known, err := n.hostPorts.claim(p)
	if err != nil {
		return Attachment{}, err
	}
	a, err := n.attach(p, int(ns.Fd()))
	if err != nil && !known && n.forget(p.ID) {
		err = errors.Join(err, n.rules.setPorts(n.renderPods))
	}
	return a, err
}

func (n *Network) attach(p Pod, ns int) (Attachment, error) {
	if err := n.uplinks.refuseOverlap(p.ID); err != nil {
		return Attachment{}, err
	}
	ip, err := n.addresses.leaseAddress(p.ID)
	if err != nil {
		return Attachment{}, err
	}
	if err := n.rules.addressed(p.ID, n.addressesOf); err != nil {
		return Attachment{}, fmt.Errorf("cannot enforce network policies of pod %q: %w", p.ID, err)
	}
	if len(p.Ports) > 0 {
		if err := n.rules.setPorts(n.renderPods); err != nil {
			return Attachment{}, fmt.Errorf("cannot forward host ports of pod %q: %w", p.ID, err)
		}
		led := frontends{}
		led.addPod(&p, n.addressesOf(p.ID))
		n.reportFlows(led.forgetStale())
	}
	six, err := n.connect(p, ip, ns)
	if err != nil {
		return Attachment{}, err
	}
	a := Attachment{IP: ip, Gateway: n.gateway, MAC: podMAC(ip).String(), HostIf: hostIf(p.ID)}
	if six {
		a.IP6 = n.addr6(ip)
	}
	if n.setIPv4Only(p.ID, !six) && len(p.Ports) > 0 {
		if err := n.rules.setPorts(n.renderPods); err != nil {
			return Attachment{}, fmt.Errorf("cannot forward host ports of pod %q: %w", p.ID, err)
		}
	}
	return a, nil
}

// connect makes the pair of links and gives each end what it needs. six: the pod has its IPv6 address.
func (n *Network) connect(p Pod, ip netip.Addr, ns int) (six bool, err error) {
	host, err := n.host()
	if err != nil {
		return false, err
	}
	v := rtnetlink.VethPair{Host: hostIf(p.ID), Peer: podIf, PeerNS: ns, MAC: podMAC(ip), MTU: int(n.mtu.Load())}
	outer, err := ensureVeth(host, v)
	if err != nil {
		return false, fmt.Errorf("cannot attach veth for pod %q: %w", p.ID, err)
	}
	ends := n.endsOf(ip)
	if six = len(ends) > 1 && !p.IPv4Only && n.sixOn(v); !six {
		ends = ends[:1]
	}
	err = inNetns(ns, func(pod *rtnetlink.Conn) error {
		without6, err := configure(pod, v, ends, p.Egress)
		if without6 {
			six, ends = false, ends[:1]
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("cannot configure network of pod %q: %w", p.ID, err)
	}
	if err := n.route(host, outer, v, ends, p); err != nil {
		return false, fmt.Errorf("cannot route to pod %q: %w", p.ID, err)
	}
	return six, nil
}

// end is a pod's address in one family, and the gateway of that family.
type end struct{ addr, gateway netip.Addr }

func (n *Network) endsOf(ip netip.Addr) []end {
	ends := []end{{ip, n.gateway}}
	if ip6 := n.addr6(ip); ip6.IsValid() {
		ends = append(ends, end{ip6, n.gateway6})
	}
	return ends
}

// route points the node at the pod. There is no neighbour to ask for on a link with one other end: both
// ends know each other's address from the start, and nobody can claim another's.
func (n *Network) route(host *rtnetlink.Conn, outer *rtnetlink.Link, v rtnetlink.VethPair, ends []end, p Pod) error {
	if err := n.forwarding.prepareLink(v.Host, p); err != nil {
		return err
	}
	reqs := rtnetlink.Requests(rtnetlink.Distrust(v.Host), rtnetlink.NoLinkLocal(v.Host), rtnetlink.SetUp(outer.Index))
	if v.MTU > 0 && outer.MTU != v.MTU {
		reqs = append(reqs, rtnetlink.SetMTU(outer.Index, v.MTU))
	}
	if outer.Master != 0 {
		reqs = append(reqs, rtnetlink.SetMaster(outer.Index, 0))
	}
	for _, e := range ends {
		reqs = append(reqs, rtnetlink.SetNeighbour(outer.Index, e.addr, v.MAC), rtnetlink.SetHostRoute(outer.Index, e.addr))
	}
	if p.Ingress > 0 {
		reqs = append(reqs, setRate(outer.Index, p.Ingress))
	}
	_, err := host.Do(reqs...)
	return ignoreNoIPv6(err)
}

// ensureVeth makes the pair, or deals with the leftovers of an earlier attempt. It returns the host's end.
func ensureVeth(host *rtnetlink.Conn, v rtnetlink.VethPair) (*rtnetlink.Link, error) {
	answers, err := host.Do(v.Create(), rtnetlink.ByName(unix.RTM_GETLINK, v.Host))
	switch {
	case errors.Is(err, unix.EEXIST):
		return adoptVeth(host, v)
	case err != nil:
		return nil, err
	}
	return rtnetlink.ParseLink(answers[1])
}

// adoptVeth keeps a pair whose ends belong together, and replaces anything else: also what was made for another address,
// which the pod would go on to have beside the one of now.
func adoptVeth(host *rtnetlink.Conn, v rtnetlink.VethPair) (*rtnetlink.Link, error) {
	outer, err := host.GetLink(v.Host)
	if err != nil {
		return nil, err
	}
	err = inNetns(v.PeerNS, func(pod *rtnetlink.Conn) error {
		inner, err := pod.GetLink(v.Peer)
		if err != nil {
			return err
		}
		if outer != nil && inner != nil && outer.Peer == inner.Index && inner.Peer == outer.Index && inner.MAC == string(v.MAC) {
			return nil
		}
		outer = nil
		return pod.DeleteLink(v.Peer)
	})
	if err != nil {
		return nil, err
	}
	if outer != nil {
		// It is no longer marked for deletion, in case a crash came between the mark and the deletion.
		_, err = host.Do(setGroup(v.Host, rtnetlink.PodGroup))
		return outer, err
	}
	if err := host.DeleteLink(v.Host); err != nil {
		return nil, err
	}
	answers, err := host.Do(v.Create(), rtnetlink.ByName(unix.RTM_GETLINK, v.Host))
	if err != nil {
		return nil, err
	}
	return rtnetlink.ParseLink(answers[1])
}

// configure gives the pod's end its addresses, IPv4 first, and the way out. without6: IPv6 is disabled in the pod, which is
// its own affair.
func configure(pod *rtnetlink.Conn, v rtnetlink.VethPair, ends []end, egress uint64) (without6 bool, err error) {
	answers, err := pod.Do(rtnetlink.NoLinkLocal(v.Peer), rtnetlink.ByName(unix.RTM_GETLINK, v.Peer))
	if err := ignoreNoIPv6(err); err != nil { // a kernel without IPv6 is quiet anyway
		return false, err
	}
	l, err := rtnetlink.ParseLink(answers[1])
	if err != nil {
		return false, err
	}
	reqs := rtnetlink.Requests(rtnetlink.SetUp(l.Index))
	if v.MTU > 0 && l.MTU != v.MTU {
		reqs = append(reqs, rtnetlink.SetMTU(l.Index, v.MTU))
	}
	if egress > 0 {
		reqs = append(reqs, setRate(l.Index, egress))
	}
	six := 0 // where IPv6 begins
	for _, e := range ends {
		if e.addr.Is6() {
			six = len(reqs)
		}
		reqs = append(reqs, rtnetlink.SetAddr(l.Index, netip.PrefixFrom(e.addr, e.addr.BitLen())),
			rtnetlink.SetNeighbour(l.Index, e.gateway, rtnetlink.HostMAC()), rtnetlink.SetDefaultRoute(l.Index, e.gateway))
	}
	_, errs, err := pod.Try(reqs...)
	if err != nil {
		return false, err
	}
	if six > 0 && isWithoutIPv6(errs[six]) {
		return true, rtnetlink.First(errs[:six])
	}
	return false, rtnetlink.First(errs)
}

func ignoreNoIPv6(err error) error {
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	return err
}

// inNetns opens a socket inside the namespace and lets fn use it. The socket keeps its
// namespace, so that the thread is back before fn starts.
func inNetns(ns int, fn func(*rtnetlink.Conn) error) error {
	var c *rtnetlink.Conn
	err := namespace.OnThreadSoon(func() (err error) {
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("cannot enter network namespace: %w", err)
		}
		c, err = rtnetlink.Dial()
		return err
	}, unix.CLONE_NEWNET)
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(c)
}

// lease returns the address that id holds.
func (n *Network) lease(id string) (netip.Addr, bool) { return n.leases.Lookup(id) }

const (
	tbfBurst       = 6         // TCA_TBF_BURST, linux/pkt_sched.h
	linkLayerEther = 1         // TC_LINKLAYER_ETHERNET
	smallestBurst  = 128 << 10 // bytes; the largest packet that a link hands over at once is 64 KiB
)

// setRate shapes what leaves the link to so many bits a second, with a token bucket (man 8 tc-tbf). Each
// direction is shaped at the end that sends it, where a full queue makes the sender wait: what flows to the
// pod at the host's end, what flows from it at the pod's. The queue holds 25 ms.
func setRate(index int, bitsPerSecond uint64) *nl.NetlinkRequest {
	rate := max(bitsPerSecond/8, 1)
	burst := uint32(min(max(rate/100, smallestBurst), math.MaxUint32))
	opt := nl.TcTbfQopt{Limit: uint32(min(rate/40+uint64(burst), math.MaxUint32)), Buffer: burst}
	opt.Rate.Rate = uint32(min(rate, math.MaxUint32))
	opt.Rate.Linklayer = linkLayerEther
	r := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	r.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(1, 0)})
	r.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("tbf")))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_TBF_PARMS, opt.Serialize())
	options.AddRtAttr(tbfBurst, nl.Uint32Attr(burst))
	if rate > math.MaxUint32 {
		options.AddRtAttr(nl.TCA_TBF_RATE64, nl.Uint64Attr(rate))
	}
	r.AddData(options)
	return r
}
