package board

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// sound is a path on which every packet arrives; each test takes something away.
func sound() *Path {
	return &Path{
		Pod: "default/web", Table: "podd", Masquerade: 5, OwnAddr: netip.MustParseAddr("10.210.0.1"),
		Chains: []Chain{{"inet", "podd", "forward", "forward", true}},
		Ways: []Way{{
			Family: "IPv4", Addr: netip.MustParseAddr("10.210.0.2"), Node: netip.MustParseAddr("10.210.0.1"), Forwarding: true,
			Pod:     Hop{Link: "eth0", Up: true, Carrier: true, Addressed: true},
			Back:    Hop{Link: "podd1a2b", Up: true, Carrier: true},
			Uplink:  Hop{Link: "end0", Up: true, Carrier: true, Addressed: true, Gateway: netip.MustParseAddr("192.168.1.1")},
			Servers: []Server{{Addr: netip.MustParseAddr("192.168.1.1")}, {Addr: netip.MustParseAddr("127.0.0.1"), NodeOnly: true}},
		}},
	}
}

func TestTrace(t *testing.T) {
	no := errors.New("no answer")
	drop := Chain{"ip", "filter", "FORWARD", "forward", true}
	for _, c := range []struct {
		name         string
		brk          func(*Path, *Way)
		check, words string // of the first failure; "" if there is none
		verdict      Verdict
	}{
		{"nothing", func(*Path, *Way) {}, "", "", OK},
		{"no pod", func(p *Path, _ *Way) { p.Pod, p.NoPod = "", "no pod runs" }, "", "", Warn},
		{"no daemon", func(p *Path, _ *Way) { p.Daemon = no }, "", "", Warn},
		{"no way out of the pod", func(_ *Path, w *Way) { w.Pod = Hop{Err: no} }, "IPv4 pod", "no way out", Fail},
		{"the pod's link", func(_ *Path, w *Way) { w.Pod.Carrier = false }, "IPv4 pod", "eth0 of pod default/web is down", Fail},
		{"no way to the pod", func(_ *Path, w *Way) { w.Back = Hop{Err: no} }, "IPv4 link", "does not know the way", Fail},
		{"another's route", func(_ *Path, w *Way) { w.Back.Link = "tun0" }, "IPv4 link", "to tun0", Fail},
		{"the machine's end", func(_ *Path, w *Way) { w.Back.Up = false }, "IPv4 link", "podd1a2b of the pod's link is down", Fail},
		{"the node", func(_ *Path, w *Way) { w.Reach = no }, "IPv4 node", "no answer", Fail},
		{"an input chain", func(p *Path, w *Way) {
			w.Reach = no
			p.Chains = append(p.Chains, Chain{"inet", "firewalld", "filter_INPUT", "input", true})
		}, "IPv4 node", "(firewalld) drops", Fail},
		{"forwarding", func(_ *Path, w *Way) { w.Forwarding = false }, "IPv4 forwarding", "net.ipv4.ip_forward", Fail},
		{"a forward chain that lets pods pass", func(p *Path, _ *Way) { p.Chains = append(p.Chains, drop) }, "", "", OK},
		{"a forward chain", func(p *Path, w *Way) {
			p.Chains = append(p.Chains, drop)
			w.Servers[0].FromPod = no
		}, "IPv4 forward rule", "chain FORWARD of table ip filter", Fail},
		{"a forward chain of the other family", func(p *Path, w *Way) {
			p.Chains = append(p.Chains, Chain{"ip6", "filter", "FORWARD", "forward", true})
			w.Servers[0].FromPod = no
		}, "IPv4 forward rule", "answers the machine and not the pod (no answer)", Fail},
		{"a forward chain and nobody to ask", func(p *Path, w *Way) {
			p.Chains = append(p.Chains, drop)
			w.Servers = w.Servers[1:]
		}, "", "", Warn},
		{"masquerade", func(p *Path, _ *Way) { p.Masquerade = 0 }, "IPv4 masquerade", "are gone", Fail},
		{"no uplink", func(_ *Path, w *Way) { w.Uplink = Hop{Err: no} }, "IPv4 uplink", "no default route", Fail},
		{"no IPv6 uplink", func(_ *Path, w *Way) { w.Family, w.Uplink = "IPv6", Hop{Err: no} }, "", "", Warn},
		{"the uplink is off", func(_ *Path, w *Way) { w.Uplink.Up = false }, "IPv4 uplink", "end0 is switched off", Fail},
		{"the cable", func(_ *Path, w *Way) { w.Uplink.Carrier = false }, "IPv4 uplink", "no carrier", Fail},
		{"no address", func(_ *Path, w *Way) { w.Uplink.Addressed = false }, "IPv4 uplink", "no address", Fail},
		{"the gateway", func(_ *Path, w *Way) { w.Uplink.Silent = true }, "IPv4 gateway", "192.168.1.1 does not answer on end0", Fail},
		{"no gateway", func(_ *Path, w *Way) { w.Uplink.Gateway = netip.Addr{} }, "", "", OK},
		{"one server", func(_ *Path, w *Way) { w.Servers[0].FromNode = no }, "", "", Warn},
		{"all servers", func(_ *Path, w *Way) { w.Servers[0].FromNode, w.Servers[1].FromNode = no, no }, "DNS server", "does not answer the machine", Fail},
		{"no servers", func(_ *Path, w *Way) { w.Servers = nil }, "", "", Warn},
		{"podd's own", func(p *Path, _ *Way) { p.Own = no }, "podd's DNS", "does not answer the pod", Fail},
		{"the world", func(p *Path, _ *Way) { p.Outside = no }, "names", "cannot find names", Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := sound()
			c.brk(p, &p.Ways[0])
			list := p.Trace()
			if got := Worst(list); got != c.verdict {
				t.Errorf("the verdict is %s, want %s: %v", got, c.verdict, list)
			}
			var first Finding
			for _, f := range list {
				if f.Verdict == Fail && first.Check == "" {
					first = f
				}
			}
			if first.Check != c.check || !strings.Contains(first.Reason, c.words) || c.check != "" && first.Remedy == "" {
				t.Errorf("it fails first with %+v", first)
			}
		})
	}
}
