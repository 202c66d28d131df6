package board

import (
	"fmt"
	"net/netip"
	"strings"
)

// Hop is a station on the way of a packet; Err is why it could not be looked at or is not there.
type Hop struct {
	Link        string
	Up, Carrier bool
	Addressed   bool
	Gateway     netip.Addr
	Silent      bool
	Err         error
}

// Way is the way of one pod's packets in one family, in the order in which they take it.
type Way struct {
	Family string     // IPv4 or IPv6
	Addr   netip.Addr // the pod's; zero: it has none
	Pod    Hop        // from the pod to the node
	Back   Hop        // from the node to the pod
	Node   netip.Addr // the node's address for pods
	Reach  error      // of Node from the pod
	// Forwarding is the kernel's switch.
	Forwarding bool
	Uplink     Hop
	Servers    []Server // the machine's name servers of this family
}

// Server is a name server of the machine, asked by the node and by the pod.
type Server struct {
	Addr     netip.Addr
	FromNode error
	FromPod  error
	NodeOnly bool // on the node's loopback, or link-local: pods are not meant to reach it
}

// Path is what can be known of the way from a pod to a name on the internet.
type Path struct {
	Pod    string // namespace/name; empty if there is none to look from
	NoPod  string // why
	Daemon error  // why podd does not answer
	Ways   []Way
	// Masquerade is how many rules give pods' packets an address that answers come back to.
	Masquerade    int
	MasqueradeErr error
	Chains        []Chain // of others
	Table         string  // podd's own
	// Own are podd's name server, asked by the pod for itself, and for something that only the machine's servers know.
	Own, Outside error
	OwnAddr      netip.Addr
}

// Trace says of each hop whether packets get over it. The first that fails is what to put right.
func (p *Path) Trace() []Finding {
	var list []Finding
	add := func(check string, v Verdict, reason, remedy string) {
		list = append(list, Finding{check, v, reason, remedy})
	}
	if p.Daemon != nil {
		add("podd", Warn, "podd does not run, so that nobody repairs the pods' network: "+p.Daemon.Error(), "systemctl start podd")
	}
	if p.Pod == "" {
		add("pod", Warn, p.NoPod+": only the machine's own part of the way is looked at", "start a pod, or name one with --pod")
	}
	for i := range p.Ways {
		list = append(list, p.trace(&p.Ways[i])...)
	}
	return append(list, p.names()...)
}

func (p *Path) trace(w *Way) []Finding {
	var list []Finding
	if p.Pod != "" {
		if !w.Addr.IsValid() {
			return []Finding{{w.Family, OK, fmt.Sprintf("pod %s has no %s address", p.Pod, w.Family), ""}}
		}
		list = append(list, p.podLink(w), p.nodeLink(w), p.node(w))
	}
	return append(list, w.forwarding(), p.forward(w), p.masquerade(w), w.uplink(), w.gateway())
}

const repairs = "podd puts it right by itself: start it (systemctl start podd), or look for the program that undoes it"

func (p *Path) podLink(w *Way) Finding {
	check := w.Family + " pod"
	switch {
	case w.Pod.Err != nil:
		return Finding{check, Fail, fmt.Sprintf("pod %s has no way out: %v", p.Pod, w.Pod.Err), repairs}
	case !w.Pod.Up || !w.Pod.Carrier:
		return Finding{check, Fail, fmt.Sprintf("the link %s of pod %s is down", w.Pod.Link, p.Pod), repairs}
	}
	return Finding{check, OK, fmt.Sprintf("pod %s has %s on %s", p.Pod, w.Addr, w.Pod.Link), ""}
}

func (p *Path) nodeLink(w *Way) Finding {
	check := w.Family + " link"
	switch {
	case w.Back.Err != nil:
		return Finding{check, Fail, fmt.Sprintf("the machine does not know the way to the pod: %v", w.Back.Err), repairs}
	case !strings.HasPrefix(w.Back.Link, "podd"):
		return Finding{check, Fail, fmt.Sprintf("the machine sends what is for the pod (%s) to %s", w.Addr, w.Back.Link), "see `ip route get " + w.Addr.String() + "` for the route that leads there; give the pods another network if that one is needed"}
	case !w.Back.Up || !w.Back.Carrier:
		return Finding{check, Fail, fmt.Sprintf("the machine's end %s of the pod's link is down", w.Back.Link), repairs}
	}
	return Finding{check, OK, fmt.Sprintf("the machine reaches the pod through %s", w.Back.Link), ""}
}

func (p *Path) node(w *Way) Finding {
	check := w.Family + " node"
	if w.Reach == nil {
		return Finding{check, OK, fmt.Sprintf("the pod reaches the node (%s)", w.Node), ""}
	}
	reason := fmt.Sprintf("the pod does not reach the node (%s): %v", w.Node, w.Reach)
	if c := p.dropping("input", w.Family); c != nil {
		return Finding{check, Fail, reason + "; " + c.text() + " drops what it does not know", c.opening("iifname")}
	}
	return Finding{check, Fail, reason, repairs}
}

func (w *Way) forwarding() Finding {
	name := "net.ipv4.ip_forward"
	if w.Family == "IPv6" {
		name = "net.ipv6.conf.all.forwarding"
	}
	if w.Forwarding {
		return Finding{w.Family + " forwarding", OK, "the kernel forwards packets", ""}
	}
	return Finding{w.Family + " forwarding", Fail, name + " is 0: nothing that pods send leaves the machine", "sysctl -w " + name + "=1; podd sets it when it starts and while it runs, so look for what sets it back, in /etc/sysctl.d first"}
}

// forward judges other programs' rules by what gets through, if anything says that.
func (p *Path) forward(w *Way) Finding {
	check := w.Family + " forward rule"
	tried, blocked := false, Server{}
	for _, s := range w.Servers {
		if s.NodeOnly || s.FromNode != nil || p.Pod == "" {
			continue
		}
		if tried = true; s.FromPod != nil {
			blocked = s
		}
	}
	c := p.dropping("forward", w.Family)
	switch {
	case blocked.Addr.IsValid() && c != nil:
		return Finding{check, Fail, fmt.Sprintf("%s answers the machine and not the pod: %s drops what it does not know", blocked.Addr, c.text()), c.opening("iifname") + ", and the same with oifname"}
	case blocked.Addr.IsValid():
		return Finding{check, Fail, fmt.Sprintf("%s answers the machine and not the pod (%v)", blocked.Addr, blocked.FromPod), "see whether a NetworkPolicy isolates the pod (podd get netpol), whether the next lines fail, and whether a firewall drops by legacy iptables rules, which this does not read"}
	case tried:
		return Finding{check, OK, "what the pod sends to the world is let through", ""}
	case c != nil:
		return Finding{check, Warn, c.text() + " drops what it does not know, and pods' packets may be among it", c.opening("iifname") + ", and the same with oifname"}
	}
	return Finding{check, OK, "no chain of nftables drops what pods send", ""}
}

func (p *Path) masquerade(w *Way) Finding {
	check := w.Family + " masquerade"
	switch {
	case p.MasqueradeErr != nil:
		return Finding{check, Warn, p.MasqueradeErr.Error(), ""}
	case p.Masquerade == 0:
		return Finding{check, Fail, "the rules that give pods' packets the machine's address are gone: nobody beyond the machine knows where to answer", repairs}
	}
	return Finding{check, OK, "pods leave with the machine's address", ""}
}

func (w *Way) uplink() Finding {
	check, u := w.Family+" uplink", &w.Uplink
	// Many networks have no IPv6; a machine without a way out in IPv4 is cut off.
	missing := Fail
	if w.Family == "IPv6" {
		missing = Warn
	}
	switch {
	case u.Err != nil:
		return Finding{check, missing, fmt.Sprintf("the machine has no default route (%v): pods reach no more than its own networks", u.Err), "see whether the uplink is configured and has its address: ip addr, and the log of the DHCP client or the modem"}
	case !u.Up:
		return Finding{check, Fail, "the uplink " + u.Link + " is switched off", "ip link set " + u.Link + " up"}
	case !u.Carrier:
		return Finding{check, Fail, "the uplink " + u.Link + " has no carrier", "see to the cable, the access point or the modem"}
	case !u.Addressed:
		return Finding{check, missing, "the uplink " + u.Link + " has no address", "see the log of the DHCP client or the modem"}
	}
	return Finding{check, OK, "the default route leads through " + u.Link, ""}
}

func (w *Way) gateway() Finding {
	check, u := w.Family+" gateway", &w.Uplink
	switch {
	case u.Err != nil || !u.Up || !u.Carrier:
		return Finding{check, Warn, "not looked at: there is no uplink", ""}
	case !u.Gateway.IsValid():
		return Finding{check, OK, u.Link + " needs none", ""}
	case u.Silent:
		return Finding{check, Fail, fmt.Sprintf("the gateway %s does not answer on %s", u.Gateway, u.Link), "see whether the router is on, and whether the machine is on its network (ip addr show " + u.Link + ")"}
	}
	return Finding{check, OK, fmt.Sprintf("the gateway %s is there", u.Gateway), ""}
}

// names are the last hops: the machine's name servers, podd's own, and what it learns from them.
func (p *Path) names() []Finding {
	var list []Finding
	servers, answering := 0, 0
	for _, w := range p.Ways {
		for _, s := range w.Servers {
			if servers++; s.FromNode == nil {
				answering++
				list = append(list, Finding{"DNS server", OK, s.Addr.String() + " answers the machine", ""})
			}
		}
	}
	verdict := Warn
	if answering == 0 {
		verdict = Fail
	}
	for _, w := range p.Ways {
		for _, s := range w.Servers {
			if s.FromNode != nil {
				list = append(list, Finding{"DNS server", verdict, fmt.Sprintf("%s does not answer the machine: %v", s.Addr, s.FromNode), "see whether the lines above fail; else name another server in the machine's resolv.conf"})
			}
		}
	}
	if servers == 0 {
		list = append(list, Finding{"DNS server", Warn, "the machine names no name server: only names of the folder's Services can be found", "name one in /etc/resolv.conf, or in resolvConf of the configuration"})
	}
	return append(list, p.own(servers)...)
}

func (p *Path) own(servers int) []Finding {
	if p.Pod == "" {
		return nil
	}
	const check = "podd's DNS"
	if p.Own != nil {
		return []Finding{{check, Fail, fmt.Sprintf("podd's name server (%s) does not answer the pod: %v", p.OwnAddr, p.Own), "see whether podd runs, and whether another program has port 53 (events of the node: podd get events)"}}
	}
	list := []Finding{{check, OK, fmt.Sprintf("podd's name server (%s) answers the pod", p.OwnAddr), ""}}
	switch {
	case servers == 0:
	case p.Outside != nil:
		list = append(list, Finding{"names", Fail, fmt.Sprintf("podd's name server cannot find names of the world: %v", p.Outside), "see the servers above, which it asks"})
	default:
		list = append(list, Finding{"names", OK, "the pod can look up names of the world", ""})
	}
	return list
}

// dropping finds a chain of somebody else's that drops packets of a family at a hook.
func (p *Path) dropping(hook, family string) *Chain {
	other := "ip6"
	if family == "IPv6" {
		other = "ip"
	}
	for i := range p.Chains {
		c := &p.Chains[i]
		if c.Hook == hook && c.Drop && c.Table != p.Table && c.Family != other && c.Family != "bridge" {
			return c
		}
	}
	return nil
}

func (c *Chain) text() string {
	return fmt.Sprintf("chain %s of table %s %s%s", c.Name, c.Family, c.Table, by(owner(*c)))
}

// opening is the rule that lets the pods' links through a chain.
func (c *Chain) opening(direction string) string {
	return fmt.Sprintf("let the pods pass: nft insert rule %s %s %s %s \"podd*\" accept", c.Family, c.Table, c.Name, direction)
}
