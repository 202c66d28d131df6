package netns

import (
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// renderGuard checks the source of every packet before anything else sees it, those of existing connections among them: a pod
// sends from its own addresses, and nobody else does. The kernel's reverse path filter cannot do it: it is another's to
// set, and there is none for IPv6.
func renderGuard(r *ruleset, c *Config) {
	guard := r.chain("guard", &hook{kind: "filter", number: unix.NF_INET_PRE_ROUTING, priority: priorityGuard})
	guard.add("from pods", fromPods(), goTo(chainFromPods))
	for _, f := range families() {
		if net := c.podNet(f); net.IsValid() {
			guard.add("pods' addresses are pods'", f.only(), f.inNet(f.source, expr.CmpOpEq, net), notLooped(), verdict(expr.VerdictDrop))
		}
	}

	pods := r.chain(chainFromPods, nil)
	// Link-local addresses and none at all (::) have no route either, so that router advertisements, redirects and
	// neighbour discovery in another's name end here.
	pods.add("pods send from their own address",
		one(&expr.Fib{Register: reg(0), FlagSADDR: true, FlagIIF: true, ResultOIF: true},
			&expr.Cmp{Op: expr.CmpOpEq, Register: reg(0), Data: make([]byte, 4)}),
		verdict(expr.VerdictDrop))
	v4 := families()[0]
	pods.add("IPv4 below", families()[1].only(), verdict(expr.VerdictAccept))
	// To everybody on the link, 0.0.0.0 passes the check above (net/ipv4/netfilter/nft_fib_ipv4.c): it is what DHCP is asked with.
	pods.add("pods have an address", v4.inNet(v4.source, expr.CmpOpEq, netip.PrefixFrom(netip.IPv4Unspecified(), 8)), verdict(expr.VerdictDrop))
	// It is routed on links of pods with host ports, so that these can be reached there.
	pods.add("pods stay off the node's loopback", v4.inNet(v4.dest, expr.CmpOpEq, loopbackNet()), verdict(expr.VerdictDrop))
}
