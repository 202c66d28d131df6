package netns

import (
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Priorities of the hooks (linux/netfilter_ipv4.h): the guard sits behind connection tracking and before
// addresses are translated.
const (
	priorityGuard  = -150
	priorityDNAT   = -100
	priorityFilter = 0
	prioritySNAT   = 100
)

// Names of the chains that others are reached from.
const (
	chainServices   = "services"
	chainLocalPorts = "local-ports"
	chainNobody     = "nobody"
)

// fromPods and toPods know pods' interfaces by their group, which the kernel compares as one number.
func fromPods() []expr.Any { return metaIs(expr.MetaKeyIIFGROUP, expr.CmpOpEq, podGroup) }
func toPods() []expr.Any   { return metaIs(expr.MetaKeyOIFGROUP, expr.CmpOpEq, podGroup) }

// renderBase is what does not change while the daemon runs.
func renderBase(c *Config) *ruleset {
	r := newRuleset()
	renderGuard(r)
	renderFilters(r)
	renderTranslation(r)
	renderMasquerade(r, c)
	renderLocalPorts(r, c)
	return r
}

// renderGuard drops what a pod has no business to send: another's source address, and the node's loopback,
// which is routed on links of pods with host ports so that these can be reached there.
func renderGuard(r *ruleset) {
	c := r.chain("guard", &hook{kind: "filter", number: unix.NF_INET_PRE_ROUTING, priority: priorityGuard})
	// What was let through once is, and costs one rule: all the rest is for first packets.
	c.add("answers", ctHas(expr.CtKeySTATE, ctEstablished|ctRelated, expr.CmpOpNeq), verdict(expr.VerdictAccept))
	v4 := families()[0]
	c.add("pods stay off the node's loopback", fromPods(), v4.only(), v4.inNet(v4.dest, expr.CmpOpEq, loopbackNet()), verdict(expr.VerdictDrop))
	c.add("pods send from their own address", fromPods(),
		one(&expr.Fib{Register: reg(0), FlagSADDR: true, FlagIIF: true, ResultOIF: true},
			&expr.Cmp{Op: expr.CmpOpEq, Register: reg(0), Data: make([]byte, 4)}),
		verdict(expr.VerdictDrop))
}

func loopbackNet() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8) }

// renderFilters: what the node itself sends to pods passes none of the policies, as Kubernetes has it, and
// answers pass all of them.
func renderFilters(r *ruleset) {
	established := ctHas(expr.CtKeySTATE, ctEstablished|ctRelated, expr.CmpOpNeq)
	forward := r.chain("forward", &hook{kind: "filter", number: unix.NF_INET_FORWARD, priority: priorityFilter})
	forward.add("answers", established, verdict(expr.VerdictAccept))
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

	nobody := r.chain(chainNobody, nil)
	for _, f := range families() {
		refuse(nobody, "no endpoints", f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), in(setNobody+f.suffix, false))
		// Its address is in the maps only: whoever still has it here asked for a port that the Service has not.
		refuse(nobody, "no such port", f.only(), f.loadAddr(f.dest, 0), in(setClusters+f.suffix, false))
		refuse(input, "no endpoints", f.only(), loadPort(0), in(setNobodyOn+f.suffix, false))
	}
}

// renderTranslation looks every new connection up, whoever opens it.
func renderTranslation(r *ruleset) {
	for name, number := range map[string]uint32{"prerouting": unix.NF_INET_PRE_ROUTING, "nat-output": unix.NF_INET_LOCAL_OUT} {
		c := r.chain(name, &hook{kind: "nat", number: number, priority: priorityDNAT})
		c.add("", jump(chainServices))
		c.add("", toThisHost(), jump(chainLocalPorts))
	}
	services := r.chain(chainServices, nil)
	for _, f := range families() {
		services.add("Services", f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), vmap(setServices+f.suffix))
	}
}

// renderLocalPorts: host ports, then node ports. The IPv6 loopback is left alone: the kernel drops what
// comes from ::1 on any other link, and a client that is refused there tries 127.0.0.1.
func renderLocalPorts(r *ruleset, c *Config) {
	ports := r.chain(chainLocalPorts, nil)
	limitPorts(r, ports, c)
	for _, f := range families() {
		if f.bits == 128 {
			ports.add("", f.only(), f.inNet(f.dest, expr.CmpOpEq, netip.PrefixFrom(netip.IPv6Loopback(), 128)), verdict(expr.VerdictReturn))
		}
		ports.add("host ports of one address", f.only(), f.loadAddr(f.dest, 0), loadPort(f.words), lookup(setPortsAt+f.suffix), f.dnat())
		ports.add("host ports", f.only(), loadPort(0), lookup(setPorts+f.suffix), f.dnat())
		if f.bits == 32 {
			ports.add("no node ports on the loopback", f.only(), f.inNet(f.dest, expr.CmpOpEq, loopbackNet()), verdict(expr.VerdictReturn))
		}
		ports.add("node ports", f.only(), loadPort(0), vmap(setNodePorts+f.suffix))
	}
}

// limitPorts turns away what comes from outside through other interfaces or from other addresses than
// configured. The node and its pods are not outside.
func limitPorts(r *ruleset, ports *chain, c *Config) {
	outside := metaIs(expr.MetaKeyIIFGROUP, expr.CmpOpNeq, podGroup)
	if len(c.PortInterfaces) > 0 {
		s := r.addSet(&set{name: "port-interfaces", key: []field{{41, unix.IFNAMSIZ}}})
		for _, name := range c.PortInterfaces {
			s.add(string(ifname(name)), "")
		}
		ports.add("host ports on some interfaces only", outside,
			one(&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg(0)}), in(s.name, true), verdict(expr.VerdictReturn))
	}
	if len(c.PortSources) == 0 {
		return
	}
	for _, f := range families() {
		s := r.addSet(&set{name: "port-sources" + f.suffix, key: policyKey(f), ranges: true})
		for _, span := range mergeSpans(spansOf(c.PortSources, f)) {
			s.add(policyElement(span, anyPort()), "")
		}
		ports.add("host ports for some sources only", outside, f.only(), f.loadAddr(f.source, 0), loadPort(f.words),
			in(s.name, true), verdict(expr.VerdictReturn))
	}
}

// renderMasquerade gives connections a source address that answers come back to.
func renderMasquerade(r *ruleset, c *Config) {
	post := r.chain("postrouting", &hook{kind: "nat", number: unix.NF_INET_POST_ROUTING, priority: prioritySNAT})
	// Ports drawn at random: two pods that take the same one at once do not lose a packet to
	// the race (as kube-proxy's --random-fully).
	masquerade := one(&expr.Masq{FullyRandom: true})
	away := metaIs(expr.MetaKeyOIFGROUP, expr.CmpOpNeq, podGroup)
	translated := ctHas(expr.CtKeySTATUS, ctDestNAT, expr.CmpOpNeq)
	for _, f := range families() {
		net, multicast := c.CIDR, netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4)
		if f.bits == 128 {
			net, multicast = c.CIDR6, netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff}), 8)
		}
		if net.IsValid() {
			post.add("pods leave with the node's address", f.only(), f.inNet(f.source, expr.CmpOpEq, net),
				f.inNet(f.dest, expr.CmpOpNeq, net), f.inNet(f.dest, expr.CmpOpNeq, multicast), away, masquerade)
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
