package netns

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"

	"github.com/google/nftables/expr"

	"podd/netns/nft"
)

// Names of the policies' maps, less the family: from a pod's address to the chain of what it may do.
const (
	setIngress = "ingress"
	setEgress  = "egress"
	// setIsolated are the addresses of pods whose policies say who may open connections to them.
	setIsolated = "isolated"
)

// portSpan is a range of ports of one protocol or, in anyPort, of all.
type portSpan struct {
	proto       [2]byte
	first, last uint16
}

func anyPort() portSpan { return portSpan{[2]byte{0, 255}, 0, 65535} }

func policyKey(f nft.Family) []nft.Field {
	return []nft.Field{f.Addr, nft.FieldProto, nft.FieldPort}
}

func policyElement(s nft.Span, p portSpan) string {
	return nft.KeyOf(s.From.AsSlice(), p.proto[:1], nft.PortBytes(p.first)) + nft.KeyOf(s.To.AsSlice(), p.proto[1:], nft.PortBytes(p.last))
}

// renderPolicies gives each isolated pod a chain that comes back with what is allowed and drops the rest.
// Pods that are allowed the same share it.
func renderPolicies(t PolicyTable, addressesOf func(id string) []netip.Addr) *nft.Ruleset {
	r := nft.NewRuleset()
	for _, f := range nft.Families() {
		r.AddSet(&nft.Set{Name: setIngress + f.Suffix, Key: []nft.Field{f.Addr}, Verdicts: true, Jumps: true})
		r.AddSet(&nft.Set{Name: setEgress + f.Suffix, Key: []nft.Field{f.Addr}, Verdicts: true, Jumps: true})
		r.AddSet(&nft.Set{Name: setIsolated + f.Suffix, Key: []nft.Field{f.Addr}})
	}
	for _, p := range t {
		for _, ip := range addressesOf(p.ID) {
			f := nft.FamilyOf(ip)
			if p.Ingress != nil {
				r.Sets[setIngress+f.Suffix].Add(nft.KeyOf(ip.AsSlice()), renderAllowed(r, f, "from", f.Source, *p.Ingress, addressesOf))
				r.Sets[setIsolated+f.Suffix].Add(nft.KeyOf(ip.AsSlice()), "")
			}
			if p.Egress != nil {
				r.Sets[setEgress+f.Suffix].Add(nft.KeyOf(ip.AsSlice()), renderAllowed(r, f, "to", f.Dest, *p.Egress, addressesOf))
			}
		}
	}
	return r
}

// renderAllowed names a chain by what it allows. The other side's address is at offset.
func renderAllowed(r *nft.Ruleset, f nft.Family, name string, offset uint32, rules []PolicyRule, addressesOf func(string) []netip.Addr) string {
	var allowed [][]string
	for _, rule := range rules {
		if keys := rule.elements(f, addressesOf); len(keys) > 0 {
			allowed = append(allowed, keys)
		}
	}
	sort.Slice(allowed, func(i, j int) bool { return slices.Compare(allowed[i], allowed[j]) < 0 })
	allowed = slices.CompactFunc(allowed, slices.Equal)
	name += f.Suffix + "-" + nft.ShortHash(name, allowed)
	if r.Chains[name] != nil {
		return name
	}
	c := r.Chain(name, nil)
	for _, keys := range allowed {
		s := r.AddSet(&nft.Set{Name: "allow" + f.Suffix + "-" + nft.ShortHash(keys), Key: policyKey(f), Ranges: true})
		for _, k := range keys {
			s.Add(k, "")
		}
		c.Add("", f.LoadAddr(offset, 0), nft.LoadPort(f.Words), nft.In(s.Name, false), nft.Verdict(expr.VerdictReturn))
	}
	c.Add("all else", nft.Verdict(expr.VerdictDrop))
	return name
}

// elements are the rule's peers times its ports: both without overlaps, so that their product has none.
func (rule PolicyRule) elements(f nft.Family, addressesOf func(string) []netip.Addr) []string {
	var peers []nft.Span
	if rule.Anyone {
		peers = []nft.Span{nft.SpanOf(f.Any)}
	}
	for _, p := range rule.Peers {
		peers = append(peers, p.spans(f, addressesOf)...)
	}
	ports := mergePorts(rule.Ports)
	if len(rule.Ports) == 0 {
		ports = []portSpan{anyPort()}
	}
	var keys []string
	for _, s := range nft.MergeSpans(peers) {
		for _, p := range ports {
			keys = append(keys, policyElement(s, p))
		}
	}
	return keys
}

func (p Peer) spans(f nft.Family, addressesOf func(string) []netip.Addr) []nft.Span {
	if p.Net.IsValid() {
		if p.Net.Addr().Is4() != (f.Bits == 32) {
			return nil
		}
		return nft.Subtract(nft.SpanOf(p.Net), spansOf(p.Except, f))
	}
	var all []nft.Span
	for _, ip := range addressesOf(p.ID) {
		if ip.Is4() == (f.Bits == 32) {
			all = append(all, nft.Span{From: ip, To: ip})
		}
	}
	return all
}

func mergePorts(all []PortRange) []portSpan {
	all = slices.Clone(all)
	sort.Slice(all, func(i, j int) bool {
		return cmp.Or(cmp.Compare(all[i].Protocol, all[j].Protocol), cmp.Compare(all[i].First, all[j].First)) < 0
	})
	var out []portSpan
	for _, p := range all {
		proto := [2]byte{byte(p.Protocol), byte(p.Protocol)}
		if n := len(out); n > 0 && out[n-1].proto == proto && int(p.First) <= int(out[n-1].last)+1 {
			out[n-1].last = max(out[n-1].last, p.Last)
			continue
		}
		out = append(out, portSpan{proto, p.First, p.Last})
	}
	return out
}
