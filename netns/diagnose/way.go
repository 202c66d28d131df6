package diagnose

import (
	"net/netip"
	"os"
	"strings"
	"sync"

	"podd/board"
	"podd/netns"
	"podd/netns/inspect"
)

// Options say what the network is to be like.
type Options struct {
	Network       netns.Config
	Servers       []netip.Addr // the machine's name servers
	ClusterDomain string
}

// Walk looks at every hop on the way from a pod to the world, and puts into p what it sees. Its error is that of a kernel
// that does not tell.
func Walk(p *board.Path, from Viewpoint, o Options) (err error) {
	p.Table, p.Pod = table, from.Name
	if p.Chains, err = baseChains(); err != nil {
		return err
	}
	p.Masquerade, p.MasqueradeErr = inspect.Rules(p.Table, "postrouting")
	var all sync.WaitGroup
	for _, cidr := range []netip.Prefix{o.Network.CIDR, o.Network.CIDR6} {
		if !cidr.IsValid() || cidr.Addr().Is6() && !hasIPv6(o.Network.Bridge) {
			continue
		}
		p.Ways = append(p.Ways, board.Way{Family: "IPv4", Node: cidr.Masked().Addr().Next()})
		if cidr.Addr().Is6() {
			p.Ways[len(p.Ways)-1].Family = "IPv6"
		}
	}
	for i := range p.Ways {
		all.Go(func() { lookAlong(&p.Ways[i], from, o.Servers) })
	}
	if from.Name != "" {
		p.OwnAddr = o.Network.CIDR.Masked().Addr().Next()
		all.Go(func() {
			p.Own = from.inside(func() error { return question(p.OwnAddr, "dns-version."+o.ClusterDomain) })
		})
		all.Go(func() { p.Outside = from.inside(func() error { return question(p.OwnAddr, "") }) })
	}
	all.Wait()
	return nil
}

// hasIPv6 says whether the machine lets the pods' bridge, or the one that is to be made, have IPv6.
func hasIPv6(bridge string) bool {
	for _, name := range []string{bridge, "default"} {
		text, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6")
		if err == nil {
			return strings.TrimSpace(string(text)) == "0"
		}
	}
	return false
}

// lookAlong looks at the hops of one family.
func lookAlong(w *board.Way, from Viewpoint, servers []netip.Addr) {
	six := w.Family == "IPv6"
	for _, a := range from.Addrs {
		if a.Is6() == six {
			w.Addr = a
		}
	}
	if w.Addr.IsValid() {
		w.Pod.Err = from.inside(func() error {
			h, err := inspect.Uplink(six)
			w.Pod = hop(h, err)
			return err
		})
		w.Reach = from.inside(func() error { return knock(netip.AddrPortFrom(w.Node, 1)) })
		w.Back = hop(inspect.Toward(w.Addr))
	}
	w.Forwarding = forwards(six)
	w.Uplink = hop(inspect.Uplink(six))
	if g := w.Uplink.Gateway; g.IsValid() && w.Uplink.Carrier {
		// Whatever comes of it: the kernel has to look for the gateway.
		_ = knock(netip.AddrPortFrom(g.WithZone(zone(g, w.Uplink.Link)), 1))
		w.Uplink = hop(inspect.Uplink(six))
	}
	for _, addr := range servers {
		if addr.Is6() == six {
			w.Servers = append(w.Servers, try(addr, from, w.Addr.IsValid()))
		}
	}
}

func zone(a netip.Addr, link string) string {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return link
	}
	return ""
}

func hop(h inspect.Hop, err error) board.Hop {
	return board.Hop{Link: h.Link, Up: h.Up, Carrier: h.Carrier, Addressed: h.Addressed, Gateway: h.Gateway, Silent: h.Silent, Err: err}
}

func forwards(six bool) bool {
	path := "/proc/sys/net/ipv4/ip_forward"
	if six {
		path = "/proc/sys/net/ipv6/conf/all/forwarding"
	}
	text, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(text)) != "0"
}

// try asks a name server as the machine and as the pod.
func try(addr netip.Addr, from Viewpoint, pod bool) board.Server {
	s := board.Server{Addr: addr, NodeOnly: !pod || addr.IsLoopback() || addr.IsLinkLocalUnicast()}
	if s.FromNode = question(addr, ""); s.FromNode == nil && !s.NodeOnly {
		s.FromPod = from.inside(func() error { return question(addr, "") })
	}
	return s
}
