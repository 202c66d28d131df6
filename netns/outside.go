package netns

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Names of the base's sets. Outside is whatever is neither a pod nor the node.
const (
	setPortInterfaces = "port-interfaces"
	setPortSources    = "port-sources" // less the family
	setPodSources     = "pod-sources"  // likewise
	setBridges        = "bridges"
)

// routing is what the kernel forwards and podd has to mind.
type routing struct {
	// closed are the families, in the order of families, that forward for podd's sake alone.
	closed [2]bool
	// bridges are the indexes of the machine's bridges. With br_netfilter loaded, what goes through one of them passes the
	// rules as if it had been forwarded.
	bridges []int
}

func (r routing) equal(o routing) bool {
	return r.closed == o.closed && slices.Equal(r.bridges, o.bridges)
}

// podNet is the pods' network of the family; invalid without.
func (c *Config) podNet(f family) netip.Prefix {
	if f.bits == 32 {
		return c.CIDR
	}
	return c.CIDR6
}

// gateway is the node's address on it.
func (c *Config) gateway(f family) netip.Addr {
	if net := c.podNet(f); net.IsValid() {
		return net.Masked().Addr().Next()
	}
	return netip.Addr{}
}

// renderSources makes the sets of what the configuration names.
func renderSources(r *ruleset, c *Config) {
	if len(c.PortInterfaces) > 0 {
		s := r.addSet(&set{name: setPortInterfaces, key: []field{{41, unix.IFNAMSIZ}}})
		for _, name := range c.PortInterfaces {
			s.add(string(ifname(name)), "")
		}
	}
	for name, list := range map[string][]netip.Prefix{setPortSources: c.PortSources, setPodSources: c.PodSources} {
		if len(list) == 0 {
			continue
		}
		for _, f := range families() {
			s := r.addSet(&set{name: name + f.suffix, key: sourceKey(f), ranges: true})
			for _, span := range mergeSpans(spansOf(list, f)) {
				s.add(keyOf(span.from.AsSlice(), []byte{0})+keyOf(span.to.AsSlice(), []byte{255}), "")
			}
		}
	}
}

// sourceKey has a second field that says nothing: the kernel knows ranges of several fields only (nft_set_pipapo.c).
func sourceKey(f family) []field { return []field{f.addr, fieldProto} }

func (f family) loadSource() []expr.Any {
	return append(f.loadAddr(f.source, 0), &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg(f.words)})
}

// notPodSources matches all but those who may reach pods at their own addresses.
func (c *Config) notPodSources(f family) []expr.Any {
	if len(c.PodSources) == 0 {
		return nil
	}
	return append(f.loadSource(), in(setPodSources+f.suffix, true)...)
}

// limitOutside gives a verdict on what comes through other interfaces or from other addresses than configured.
func limitOutside(c *chain, cfg *Config, match []expr.Any, v expr.VerdictKind) {
	if len(cfg.PortInterfaces) > 0 {
		c.add("through some interfaces only", match, one(&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg(0)}), in(setPortInterfaces, true), verdict(v))
	}
	if len(cfg.PortSources) > 0 {
		for _, f := range families() {
			c.add("from some sources only", match, f.only(), f.loadSource(), in(setPortSources+f.suffix, true), verdict(v))
		}
	}
}

// renderForwarded judges first packets that are forwarded and not from pods. Host ports, node ports and addresses of load
// balancers have been translated by now; a pod's own address is for whom the configuration or a policy of the pod admits.
func renderForwarded(r *ruleset, c *Config, forwarded routing) {
	outside := r.chain(chainOutside, nil)
	outside.add("to what pods publish", ctHas(expr.CtKeySTATUS, ctDestNAT, expr.CmpOpNeq), verdict(expr.VerdictReturn))
	outside.add("", jump(chainNobody))
	if len(c.PodSources) > 0 {
		for _, f := range families() {
			outside.add("pods for some sources", toPods(), f.only(), f.loadSource(), in(setPodSources+f.suffix, false), verdict(expr.VerdictReturn))
		}
	}
	limitOutside(outside, c, toPods(), expr.VerdictDrop)
	for _, f := range families() {
		outside.add("pods as their policies have it", toPods(), f.only(), f.loadAddr(f.dest, 0), in(setIsolated+f.suffix, false), verdict(expr.VerdictReturn))
	}
	outside.add("no pods for others", toPods(), verdict(expr.VerdictDrop))
	renderNoRouter(r, outside, forwarded)
}

// renderNoRouter drops what would not be forwarded without podd.
func renderNoRouter(r *ruleset, outside *chain, forwarded routing) {
	if forwarded.closed == [2]bool{} {
		return
	}
	if len(forwarded.bridges) > 0 {
		s := r.addSet(&set{name: setBridges, key: []field{fieldLink, fieldLink}})
		for _, index := range forwarded.bridges {
			link := binary.NativeEndian.AppendUint32(nil, uint32(index))
			s.add(keyOf(link, link), "")
		}
		outside.add("within a bridge", one(&expr.Meta{Key: expr.MetaKeyIIF, Register: reg(0)}, &expr.Meta{Key: expr.MetaKeyOIF, Register: reg(1)}),
			in(setBridges, false), verdict(expr.VerdictReturn))
	}
	for i, f := range families() {
		if forwarded.closed[i] {
			outside.add("forwarding is on for pods only", f.only(), verdict(expr.VerdictDrop))
		}
	}
}
