package netns

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"

	"github.com/google/nftables/expr"
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

func policyKey(f family) []field { return []field{f.addr, fieldProto, fieldPort} }

func policyElement(s span, p portSpan) string {
	return keyOf(s.from.AsSlice(), p.proto[:1], portBytes(p.first)) + keyOf(s.to.AsSlice(), p.proto[1:], portBytes(p.last))
}

// renderPolicies gives each isolated pod a chain that comes back with what is allowed and drops the rest.
// Pods that are allowed the same share it.
func renderPolicies(t PolicyTable, addressesOf func(id string) []netip.Addr) *ruleset {
	r := newRuleset()
	for _, f := range families() {
		r.addSet(&set{name: setIngress + f.suffix, key: []field{f.addr}, verdicts: true, jumps: true})
		r.addSet(&set{name: setEgress + f.suffix, key: []field{f.addr}, verdicts: true, jumps: true})
		r.addSet(&set{name: setIsolated + f.suffix, key: []field{f.addr}})
	}
	for _, p := range t {
		for _, ip := range addressesOf(p.ID) {
			f := familyOf(ip)
			if p.Ingress != nil {
				r.sets[setIngress+f.suffix].add(keyOf(ip.AsSlice()), renderAllowed(r, f, "from", f.source, *p.Ingress, addressesOf))
				r.sets[setIsolated+f.suffix].add(keyOf(ip.AsSlice()), "")
			}
			if p.Egress != nil {
				r.sets[setEgress+f.suffix].add(keyOf(ip.AsSlice()), renderAllowed(r, f, "to", f.dest, *p.Egress, addressesOf))
			}
		}
	}
	return r
}

// renderAllowed names a chain by what it allows. The other side's address is at offset.
func renderAllowed(r *ruleset, f family, name string, offset uint32, rules []PolicyRule, addressesOf func(string) []netip.Addr) string {
	var allowed [][]string
	for _, rule := range rules {
		if keys := rule.elements(f, addressesOf); len(keys) > 0 {
			allowed = append(allowed, keys)
		}
	}
	sort.Slice(allowed, func(i, j int) bool { return slices.Compare(allowed[i], allowed[j]) < 0 })
	allowed = slices.CompactFunc(allowed, slices.Equal)
	name += f.suffix + "-" + shortHash(name, allowed)
	if r.chains[name] != nil {
		return name
	}
	c := r.chain(name, nil)
	for _, keys := range allowed {
		s := r.addSet(&set{name: "allow" + f.suffix + "-" + shortHash(keys), key: policyKey(f), ranges: true})
		for _, k := range keys {
			s.add(k, "")
		}
		c.add("", f.loadAddr(offset, 0), loadPort(f.words), in(s.name, false), verdict(expr.VerdictReturn))
	}
	c.add("all else", verdict(expr.VerdictDrop))
	return name
}

// elements are the rule's peers times its ports: both without overlaps, so that their product has none.
func (rule PolicyRule) elements(f family, addressesOf func(string) []netip.Addr) []string {
	var peers []span
	if rule.Anyone {
		peers = []span{spanOf(f.any)}
	}
	for _, p := range rule.Peers {
		peers = append(peers, p.spans(f, addressesOf)...)
	}
	ports := mergePorts(rule.Ports)
	if len(rule.Ports) == 0 {
		ports = []portSpan{anyPort()}
	}
	var keys []string
	for _, s := range mergeSpans(peers) {
		for _, p := range ports {
			keys = append(keys, policyElement(s, p))
		}
	}
	return keys
}

func (p Peer) spans(f family, addressesOf func(string) []netip.Addr) []span {
	if p.Net.IsValid() {
		if p.Net.Addr().Is4() != (f.bits == 32) {
			return nil
		}
		return subtract(spanOf(p.Net), spansOf(p.Except, f))
	}
	var all []span
	for _, ip := range addressesOf(p.ID) {
		if ip.Is4() == (f.bits == 32) {
			all = append(all, span{ip, ip})
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
