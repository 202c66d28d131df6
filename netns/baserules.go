package netns

import (
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"podd/netns/nft"
	"podd/netns/rtnetlink"
)

// Priorities of the hooks (linux/netfilter_ipv4.h). The guard sits in front of all that remembers packets: defragmentation
// (-400) would make a piece from a pod part of another's packet, connection tracking (-200) part of another's connection.
const (
	priorityGuard  = -450 // NF_IP_PRI_RAW_BEFORE_DEFRAG
	priorityDNAT   = -100
	priorityFilter = 0
	prioritySNAT   = 100
)

// Names of the chains that others are reached from.
const (
	chainServices   = "services"
	chainLocalPorts = "local-ports"
	chainNobody     = "nobody"
	chainFromPods   = "from-pods"
	chainOutside    = "outside"
	chainLimits     = "limits"
)

// Pods' links are known by their group, which the kernel compares as one number. Those that are about to be deleted
// are pods' to the end.
func fromPods() []expr.Any     { return nft.PodGroupIs(expr.MetaKeyIIFGROUP, expr.CmpOpEq) }
func fromOutside() []expr.Any  { return nft.PodGroupIs(expr.MetaKeyIIFGROUP, expr.CmpOpNeq) }
func toPods() []expr.Any       { return nft.PodGroupIs(expr.MetaKeyOIFGROUP, expr.CmpOpEq) }
func awayFromPods() []expr.Any { return nft.PodGroupIs(expr.MetaKeyOIFGROUP, expr.CmpOpNeq) }

// notLooped leaves out what the node sends to itself.
func notLooped() []expr.Any {
	return nft.MetaIs(expr.MetaKeyIIF, expr.CmpOpNeq, rtnetlink.LoopbackIndex)
}

// renderBase is what Services, policies and pods have no part in.
func renderBase(c *Config, forwarded routing) *nft.Ruleset {
	r := nft.NewRuleset()
	renderSources(r, c)
	renderGuard(r, c)
	renderFilters(r, c)
	renderForwarded(r, c, forwarded)
	renderTranslation(r, c)
	renderMasquerade(r, c)
	renderLocalPorts(r)
	return r
}

func loopbackNet() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8) }

// renderFilters: what the node itself sends to pods passes none of the policies, as Kubernetes has it, and
// answers pass all of them.
func renderFilters(r *nft.Ruleset, c *Config) {
	established := nft.CtHas(expr.CtKeySTATE, nft.CtEstablished|nft.CtRelated, expr.CmpOpNeq)
	forward := r.Chain("forward", &nft.Hook{Kind: "filter", Number: unix.NF_INET_FORWARD, Priority: priorityFilter})
	forward.Add("answers", established, nft.Verdict(expr.VerdictAccept))
	forward.Add("from outside", fromOutside(), nft.Jump(chainOutside))
	for _, f := range nft.Families() {
		forward.Add("egress policies", f.Only(), f.LoadAddr(f.Source, 0), nft.Vmap(setEgress+f.Suffix))
		forward.Add("ingress policies", f.Only(), f.LoadAddr(f.Dest, 0), nft.Vmap(setIngress+f.Suffix))
	}
	forward.Add("", nft.Jump(chainNobody))
	forward.Add("from pods", fromPods(), nft.Verdict(expr.VerdictAccept))
	forward.Add("to pods", toPods(), nft.Verdict(expr.VerdictAccept))

	output := r.Chain("output", &nft.Hook{Kind: "filter", Number: unix.NF_INET_LOCAL_OUT, Priority: priorityFilter})
	output.Add("", established, nft.Verdict(expr.VerdictAccept))
	output.Add("", nft.Jump(chainNobody))
	input := r.Chain("input", &nft.Hook{Kind: "filter", Number: unix.NF_INET_LOCAL_IN, Priority: priorityFilter})
	input.Add("", established, nft.Verdict(expr.VerdictAccept))
	input.Add("", nft.Jump(chainNobody))
	limits := r.Chain(chainLimits, nil)
	limitOutside(limits, c, nil, expr.VerdictDrop)
	input.Add("health checks are for whom node ports are for", fromOutside(), notLooped(), nft.LoadPort(0), nft.In(setHealth, false), nft.Jump(chainLimits))
	for _, f := range nft.Families() {
		if gateway := c.gateway(f); gateway.IsValid() {
			input.Add("the node's addresses for pods", fromOutside(), f.Only(), f.InNet(f.Dest, expr.CmpOpEq, netip.PrefixFrom(gateway, f.Bits)),
				notLooped(), c.notPodSources(f), nft.Verdict(expr.VerdictDrop))
		}
	}

	nobody := r.Chain(chainNobody, nil)
	for _, f := range nft.Families() {
		nft.Refuse(nobody, "no endpoints", f.Only(), f.LoadAddr(f.Dest, 0), nft.LoadPort(f.Words), nft.In(setNobody+f.Suffix, false))
		// Its address is in the maps only: whoever still has it here asked for a port that the Service has not.
		nft.Refuse(nobody, "no such port", f.Only(), f.LoadAddr(f.Dest, 0), nft.In(setClusters+f.Suffix, false))
		nft.Refuse(input, "no endpoints", f.Only(), nft.LoadPort(0), nft.In(setNobodyOn+f.Suffix, false))
	}
}

// renderTranslation looks every new connection up, but for those from outside that may go nowhere.
func renderTranslation(r *nft.Ruleset, c *Config) {
	pre := r.Chain("prerouting", &nft.Hook{Kind: "nat", Number: unix.NF_INET_PRE_ROUTING, Priority: priorityDNAT})
	limitOutside(pre, c, fromOutside(), expr.VerdictAccept)
	for _, f := range nft.Families() {
		pre.Add("ClusterIPs are not for outside", fromOutside(), f.Only(), f.LoadAddr(f.Dest, 0), nft.In(setClusters+f.Suffix, false),
			c.notPodSources(f), nft.Verdict(expr.VerdictAccept))
	}
	for _, chain := range []*nft.Chain{pre, r.Chain("nat-output", &nft.Hook{Kind: "nat", Number: unix.NF_INET_LOCAL_OUT, Priority: priorityDNAT})} {
		chain.Add("", nft.Jump(chainServices))
		chain.Add("", nft.ToThisHost(), nft.Jump(chainLocalPorts))
	}
	services := r.Chain(chainServices, nil)
	for _, f := range nft.Families() {
		services.Add("Services", f.Only(), f.LoadAddr(f.Dest, 0), nft.LoadPort(f.Words), nft.Vmap(setServices+f.Suffix))
	}
}

// renderLocalPorts: host ports, then node ports. The IPv6 loopback is left alone: the kernel drops what
// comes from ::1 on any other link, and a client that is refused there tries 127.0.0.1.
func renderLocalPorts(r *nft.Ruleset) {
	ports := r.Chain(chainLocalPorts, nil)
	for _, f := range nft.Families() {
		if f.Bits == 128 {
			ports.Add("", f.Only(), f.InNet(f.Dest, expr.CmpOpEq, netip.PrefixFrom(netip.IPv6Loopback(), 128)), nft.Verdict(expr.VerdictReturn))
		}
		ports.Add("host ports of one address", f.Only(), f.LoadAddr(f.Dest, 0), nft.LoadPort(f.Words), nft.Lookup(setPortsAt+f.Suffix), f.Dnat())
		ports.Add("ports of the machine's own", f.Only(), f.LoadAddr(f.Dest, 0), nft.LoadPort(f.Words), nft.In(setKeptPorts+f.Suffix, false), nft.Verdict(expr.VerdictReturn))
		ports.Add("host ports", f.Only(), nft.LoadPort(0), nft.Lookup(setPorts+f.Suffix), f.Dnat())
		if f.Bits == 32 {
			ports.Add("no node ports on the loopback", f.Only(), f.InNet(f.Dest, expr.CmpOpEq, loopbackNet()), nft.Verdict(expr.VerdictReturn))
		}
		ports.Add("node ports", f.Only(), nft.LoadPort(0), nft.Vmap(setNodePorts+f.Suffix))
	}
}

// renderMasquerade gives connections a source address that answers come back to.
func renderMasquerade(r *nft.Ruleset, c *Config) {
	post := r.Chain("postrouting", &nft.Hook{Kind: "nat", Number: unix.NF_INET_POST_ROUTING, Priority: prioritySNAT})
	// Ports drawn at random: two pods that take the same one at once do not lose a packet to
	// the race (as kube-proxy's --random-fully).
	masquerade := nft.One(&expr.Masq{FullyRandom: true})
	translated := nft.CtHas(expr.CtKeySTATUS, nft.CtDestNAT, expr.CmpOpNeq)
	for _, f := range nft.Families() {
		net, multicast := c.podNet(f), netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4)
		if f.Bits == 128 {
			multicast = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff}), 8)
		}
		if net.IsValid() {
			post.Add("pods leave with the node's address", f.Only(), f.InNet(f.Source, expr.CmpOpEq, net),
				f.InNet(f.Dest, expr.CmpOpNeq, net), f.InNet(f.Dest, expr.CmpOpNeq, multicast), awayFromPods(), masquerade)
		}
		if f.Bits == 32 {
			post.Add("the node's loopback", toPods(), f.Only(), f.InNet(f.Source, expr.CmpOpEq, loopbackNet()), masquerade)
		}
		for _, hairpin := range []string{setHairpinPorts, setHairpinServices} {
			post.Add("pods that reach themselves", translated, f.Only(), f.LoadAddr(f.Source, 0), f.LoadAddr(f.Dest, f.Words), nft.In(hairpin+f.Suffix, false), masquerade)
		}
		post.Add("endpoints elsewhere", translated, f.Only(), f.LoadAddr(f.Dest, 0), nft.LoadPort(f.Words), nft.In(setRemotes+f.Suffix, false), masquerade)
	}
}

// ifname is an interface name as the kernel compares it: padded to its full size.
func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// spansOf are the ranges of the networks that belong to the family.
func spansOf(nets []netip.Prefix, f nft.Family) []nft.Span {
	var all []nft.Span
	for _, p := range nets {
		if p.Addr().Is4() == (f.Bits == 32) {
			all = append(all, nft.SpanOf(p))
		}
	}
	return slices.Clip(all)
}

// renderGuard checks the source of every packet before anything else sees it, those of existing connections among them: a pod
// sends from its own addresses, and nobody else does. The kernel's reverse path filter cannot do it: it is another's to
// set, and there is none for IPv6.
func renderGuard(r *nft.Ruleset, c *Config) {
	guard := r.Chain("guard", &nft.Hook{Kind: "filter", Number: unix.NF_INET_PRE_ROUTING, Priority: priorityGuard})
	guard.Add("from pods", fromPods(), nft.GoTo(chainFromPods))
	for _, f := range nft.Families() {
		if net := c.podNet(f); net.IsValid() {
			guard.Add("pods' addresses are pods'", f.Only(), f.InNet(f.Source, expr.CmpOpEq, net), notLooped(), nft.Verdict(expr.VerdictDrop))
		}
	}

	pods := r.Chain(chainFromPods, nil)
	// Link-local addresses and none at all (::) have no route either, so that router advertisements, redirects and
	// neighbour discovery in another's name end here.
	pods.Add("pods send from their own address",
		nft.One(&expr.Fib{Register: nft.Reg(0), FlagSADDR: true, FlagIIF: true, ResultOIF: true},
			&expr.Cmp{Op: expr.CmpOpEq, Register: nft.Reg(0), Data: make([]byte, 4)}),
		nft.Verdict(expr.VerdictDrop))
	v4 := nft.Families()[0]
	pods.Add("IPv4 below", nft.Families()[1].Only(), nft.Verdict(expr.VerdictAccept))
	// To everybody on the link, 0.0.0.0 passes the check above (net/ipv4/netfilter/nft_fib_ipv4.c): it is what DHCP is asked with.
	pods.Add("pods have an address", v4.InNet(v4.Source, expr.CmpOpEq, netip.PrefixFrom(netip.IPv4Unspecified(), 8)), nft.Verdict(expr.VerdictDrop))
	// It is routed on links of pods with host ports, so that these can be reached there.
	pods.Add("pods stay off the node's loopback", v4.InNet(v4.Dest, expr.CmpOpEq, loopbackNet()), nft.Verdict(expr.VerdictDrop))
}
