package netns

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"podd/netns/nft"
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
func (c *Config) podNet(f nft.Family) netip.Prefix {
	if f.Bits == 32 {
		return c.CIDR
	}
	return c.CIDR6
}

// gateway is the node's address on it.
func (c *Config) gateway(f nft.Family) netip.Addr {
	if net := c.podNet(f); net.IsValid() {
		return net.Masked().Addr().Next()
	}
	return netip.Addr{}
}

// renderSources makes the sets of what the configuration names.
func renderSources(r *nft.Ruleset, c *Config) {
	if len(c.PortInterfaces) > 0 {
		s := r.AddSet(&nft.Set{Name: setPortInterfaces, Key: []nft.Field{{Type: 41, Size: unix.IFNAMSIZ}}})
		for _, name := range c.PortInterfaces {
			s.Add(string(ifname(name)), "")
		}
	}
	for name, list := range map[string][]netip.Prefix{setPortSources: c.PortSources, setPodSources: c.PodSources} {
		if len(list) == 0 {
			continue
		}
		for _, f := range nft.Families() {
			s := r.AddSet(&nft.Set{Name: name + f.Suffix, Key: sourceKey(f), Ranges: true})
			for _, span := range nft.MergeSpans(spansOf(list, f)) {
				s.Add(nft.KeyOf(span.From.AsSlice(), []byte{0})+nft.KeyOf(span.To.AsSlice(), []byte{255}), "")
			}
		}
	}
}

// sourceKey has a second field that says nothing: the kernel knows ranges of several fields only (nft_set_pipapo.c).
func sourceKey(f nft.Family) []nft.Field {
	return []nft.Field{f.Addr, nft.FieldProto}
}

func loadSource(f nft.Family) []expr.Any {
	return append(f.LoadAddr(f.Source, 0), &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: nft.Reg(f.Words)})
}

// notPodSources matches all but those who may reach pods at their own addresses.
func (c *Config) notPodSources(f nft.Family) []expr.Any {
	if len(c.PodSources) == 0 {
		return nil
	}
	return append(loadSource(f), nft.In(setPodSources+f.Suffix, true)...)
}

// limitOutside gives a verdict on what comes through other interfaces or from other addresses than configured.
func limitOutside(c *nft.Chain, cfg *Config, match []expr.Any, v expr.VerdictKind) {
	if len(cfg.PortInterfaces) > 0 {
		c.Add("through some interfaces only", match, nft.One(&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: nft.Reg(0)}), nft.In(setPortInterfaces, true), nft.Verdict(v))
	}
	if len(cfg.PortSources) > 0 {
		for _, f := range nft.Families() {
			c.Add("from some sources only", match, f.Only(), loadSource(f), nft.In(setPortSources+f.Suffix, true), nft.Verdict(v))
		}
	}
}

// renderForwarded judges first packets that are forwarded and not from pods. Host ports, node ports and addresses of load
// balancers have been translated by now; a pod's own address is for whom the configuration or a policy of the pod admits.
func renderForwarded(r *nft.Ruleset, c *Config, forwarded routing) {
	outside := r.Chain(chainOutside, nil)
	outside.Add("to what pods publish", nft.CtHas(expr.CtKeySTATUS, nft.CtDestNAT, expr.CmpOpNeq), nft.Verdict(expr.VerdictReturn))
	outside.Add("", nft.Jump(chainNobody))
	if len(c.PodSources) > 0 {
		for _, f := range nft.Families() {
			outside.Add("pods for some sources", toPods(), f.Only(), loadSource(f), nft.In(setPodSources+f.Suffix, false), nft.Verdict(expr.VerdictReturn))
		}
	}
	limitOutside(outside, c, toPods(), expr.VerdictDrop)
	for _, f := range nft.Families() {
		outside.Add("pods as their policies have it", toPods(), f.Only(), f.LoadAddr(f.Dest, 0), nft.In(setIsolated+f.Suffix, false), nft.Verdict(expr.VerdictReturn))
	}
	outside.Add("no pods for others", toPods(), nft.Verdict(expr.VerdictDrop))
	renderNoRouter(r, outside, forwarded)
}

// renderNoRouter drops what would not be forwarded without podd.
func renderNoRouter(r *nft.Ruleset, outside *nft.Chain, forwarded routing) {
	if forwarded.closed == [2]bool{} {
		return
	}
	if len(forwarded.bridges) > 0 {
		s := r.AddSet(&nft.Set{Name: setBridges, Key: []nft.Field{nft.FieldLink, nft.FieldLink}})
		for _, index := range forwarded.bridges {
			link := binary.NativeEndian.AppendUint32(nil, uint32(index))
			s.Add(nft.KeyOf(link, link), "")
		}
		outside.Add("within a bridge", nft.One(&expr.Meta{Key: expr.MetaKeyIIF, Register: nft.Reg(0)}, &expr.Meta{Key: expr.MetaKeyOIF, Register: nft.Reg(1)}),
			nft.In(setBridges, false), nft.Verdict(expr.VerdictReturn))
	}
	for i, f := range nft.Families() {
		if forwarded.closed[i] {
			outside.Add("forwarding is on for pods only", f.Only(), nft.Verdict(expr.VerdictDrop))
		}
	}
}
