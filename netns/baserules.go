package netns

import (
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

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
func fromPods() []expr.Any     { return podGroupIs(expr.MetaKeyIIFGROUP, expr.CmpOpEq) }
func fromOutside() []expr.Any  { return podGroupIs(expr.MetaKeyIIFGROUP, expr.CmpOpNeq) }
func toPods() []expr.Any       { return podGroupIs(expr.MetaKeyOIFGROUP, expr.CmpOpEq) }
func awayFromPods() []expr.Any { return podGroupIs(expr.MetaKeyOIFGROUP, expr.CmpOpNeq) }

// notLooped leaves out what the node sends to itself.
func notLooped() []expr.Any { return metaIs(expr.MetaKeyIIF, expr.CmpOpNeq, rtnetlink.LoopbackIndex) }

// renderBase is what Services, policies and pods have no part in.
func renderBase(c *Config, forwarded routing) *ruleset {
	r := newRuleset()
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
func renderFilters(r *ruleset, c *Config) {
	established := ctHas(expr.CtKeySTATE, ctEstablished|ctRelated, expr.CmpOpNeq)
	forward := r.chain("forward", &hook{kind: "filter", number: unix.NF_INET_FORWARD, priority: priorityFilter})
	forward.add("answers", established, verdict(expr.VerdictAccept))
	forward.add("from outside", fromOutside(), jump(chainOutside))
	for _, f := range families() {
		forward.add("egress policies", f.only(), f.loadAddr(f.source, 0), vmap(setEgress+f.suffix))
		forward.add("ingress policies", f.only(), f.loadAddr(f.dest, 0), vmap(setIngress+f.suffix))
	}
	forward.add("", jump(chainNobody))
	forward.add("from pods", fromPods(), verdict(expr.VerdictAccept))
	forward.add("to pods", toPods(), verdict(expr.VerdictAccept))

	output := r.chain("output", &hook{kind: "filter", number: unix.NF_INET_LOCAL_OUT, priority: priorityFilter})
	output.add("", established, verdict(expr.VerdictAccept))
	output.add("", jump(chainNobody))
	input := r.chain("input", &hook{kind: "filter", number: unix.NF_INET_LOCAL_IN, priority: priorityFilter})
	input.add("", established, verdict(expr.VerdictAccept))
	input.add("", jump(chainNobody))
	limits := r.chain(chainLimits, nil)
	limitOutside(limits, c, nil, expr.VerdictDrop)
	input.add("health checks are for whom node ports are for", fromOutside(), notLooped(), loadPort(0), in(setHealth, false), jump(chainLimits))
	for _, f := range families() {
		if gateway := c.gateway(f); gateway.IsValid() {
			input.add("the node's addresses for pods", fromOutside(), f.only(), f.inNet(f.dest, expr.CmpOpEq, netip.PrefixFrom(gateway, f.bits)),
				notLooped(), c.notPodSources(f), verdict(expr.VerdictDrop))
		}
	}

	nobody := r.chain(chainNobody, nil)
	for _, f := range families() {
		refuse(nobody, "no endpoints", f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), in(setNobody+f.suffix, false))
		// Its address is in the maps only: whoever still has it here asked for a port that the Service has not.
		refuse(nobody, "no such port", f.only(), f.loadAddr(f.dest, 0), in(setClusters+f.suffix, false))
		refuse(input, "no endpoints", f.only(), loadPort(0), in(setNobodyOn+f.suffix, false))
	}
}

// renderTranslation looks every new connection up, but for those from outside that may go nowhere.
func renderTranslation(r *ruleset, c *Config) {
	pre := r.chain("prerouting", &hook{kind: "nat", number: unix.NF_INET_PRE_ROUTING, priority: priorityDNAT})
	limitOutside(pre, c, fromOutside(), expr.VerdictAccept)
	for _, f := range families() {
		pre.add("ClusterIPs are not for outside", fromOutside(), f.only(), f.loadAddr(f.dest, 0), in(setClusters+f.suffix, false),
			c.notPodSources(f), verdict(expr.VerdictAccept))
	}
	for _, chain := range []*chain{pre, r.chain("nat-output", &hook{kind: "nat", number: unix.NF_INET_LOCAL_OUT, priority: priorityDNAT})} {
		chain.add("", jump(chainServices))
		chain.add("", toThisHost(), jump(chainLocalPorts))
	}
	services := r.chain(chainServices, nil)
	for _, f := range families() {
		services.add("Services", f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), vmap(setServices+f.suffix))
	}
}

// renderLocalPorts: host ports, then node ports. The IPv6 loopback is left alone: the kernel drops what
// comes from ::1 on any other link, and a client that is refused there tries 127.0.0.1.
func renderLocalPorts(r *ruleset) {
	ports := r.chain(chainLocalPorts, nil)
	for _, f := range families() {
		if f.bits == 128 {
			ports.add("", f.only(), f.inNet(f.dest, expr.CmpOpEq, netip.PrefixFrom(netip.IPv6Loopback(), 128)), verdict(expr.VerdictReturn))
		}
		ports.add("host ports of one address", f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), lookup(setPortsAt+f.suffix), f.dnat())
		ports.add("ports of the machine's own", f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), in(setKeptPorts+f.suffix, false), verdict(expr.VerdictReturn))
		ports.add("host ports", f.only(), loadPort(0), lookup(setPorts+f.suffix), f.dnat())
		if f.bits == 32 {
			ports.add("no node ports on the loopback", f.only(), f.inNet(f.dest, expr.CmpOpEq, loopbackNet()), verdict(expr.VerdictReturn))
		}
		ports.add("node ports", f.only(), loadPort(0), vmap(setNodePorts+f.suffix))
	}
}

// renderMasquerade gives connections a source address that answers come back to.
func renderMasquerade(r *ruleset, c *Config) {
	post := r.chain("postrouting", &hook{kind: "nat", number: unix.NF_INET_POST_ROUTING, priority: prioritySNAT})
	// Ports drawn at random: two pods that take the same one at once do not lose a packet to
	// the race (as kube-proxy's --random-fully).
	masquerade := one(&expr.Masq{FullyRandom: true})
	translated := ctHas(expr.CtKeySTATUS, ctDestNAT, expr.CmpOpNeq)
	for _, f := range families() {
		net, multicast := c.podNet(f), netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4)
		if f.bits == 128 {
			multicast = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff}), 8)
		}
		if net.IsValid() {
			post.add("pods leave with the node's address", f.only(), f.inNet(f.source, expr.CmpOpEq, net),
				f.inNet(f.dest, expr.CmpOpNeq, net), f.inNet(f.dest, expr.CmpOpNeq, multicast), awayFromPods(), masquerade)
		}
		if f.bits == 32 {
			post.add("the node's loopback", toPods(), f.only(), f.inNet(f.source, expr.CmpOpEq, loopbackNet()), masquerade)
		}
		for _, hairpin := range []string{setHairpinPorts, setHairpinServices} {
			post.add("pods that reach themselves", translated, f.only(), f.loadAddr(f.source, 0), f.loadAddr(f.dest, f.words), in(hairpin+f.suffix, false), masquerade)
		}
		post.add("endpoints elsewhere", translated, f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), in(setRemotes+f.suffix, false), masquerade)
	}
}

// ifname is an interface name as the kernel compares it: padded to its full size.
func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// spansOf are the ranges of the networks that belong to the family.
func spansOf(nets []netip.Prefix, f family) []span {
	var all []span
	for _, p := range nets {
		if p.Addr().Is4() == (f.bits == 32) {
			all = append(all, spanOf(p))
		}
	}
	return slices.Clip(all)
}
