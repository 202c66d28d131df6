package nft

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// InKernel is what podd last put into its table: enough to tell what has to change.
type InKernel struct {
	chains map[string]string // digests
	Sets   map[string]setInKernel
}

type setInKernel struct {
	definition string
	Elements   map[string]string
}

// Difference fills b with what turns have into want, and returns want as have for the next time. The
// order keeps every name known before it is used, and unused before it is forgotten.
func Difference(b *Batch, have *InKernel, want *Ruleset) *InKernel {
	next := &InKernel{chains: make(map[string]string, len(want.Chains)), Sets: make(map[string]setInKernel, len(want.Sets))}
	for _, name := range Sorted(want.Sets) {
		s := want.Sets[name]
		if old, ok := have.Sets[name]; !ok || old.definition != s.definition() {
			b.addSet(s)
		}
		next.Sets[name] = setInKernel{s.definition(), s.elements}
	}
	for _, name := range Sorted(want.Chains) {
		c := want.Chains[name]
		if _, ok := have.chains[name]; !ok {
			b.addChain(c)
		}
		next.chains[name] = c.digest()
	}
	for _, name := range Sorted(want.Sets) {
		moveElements(b, want.Sets[name], have.Sets[name].Elements)
	}
	changeRules(b, have, want, next)
	for _, name := range Sorted(have.chains) {
		if _, stays := want.Chains[name]; !stays {
			b.deleteChain(name)
		}
	}
	for _, name := range Sorted(have.Sets) {
		if _, stays := want.Sets[name]; !stays {
			b.deleteSet(name)
		}
	}
	return next
}

// changeRules empties the chains that go and writes those anew that say something else.
func changeRules(b *Batch, have *InKernel, want *Ruleset, next *InKernel) {
	for _, name := range Sorted(have.chains) {
		if _, stays := want.Chains[name]; !stays || have.chains[name] != next.chains[name] {
			b.flushChain(name)
		}
	}
	for _, name := range Sorted(want.Chains) {
		if have.chains[name] == next.chains[name] {
			continue
		}
		for _, r := range want.Chains[name].rules {
			b.addRule(name, r)
		}
	}
}

// moveElements takes out what is gone or has another value before it puts in what is new.
func moveElements(b *Batch, s *Set, have map[string]string) {
	var gone, fresh []Element
	for _, key := range Sorted(have) {
		if value, ok := s.elements[key]; !ok || value != have[key] {
			gone = append(gone, Element{key, have[key]})
		}
	}
	for _, key := range Sorted(s.elements) {
		if value, ok := have[key]; !ok || value != s.elements[key] {
			fresh = append(fresh, Element{key, s.elements[key]})
		}
	}
	b.elements(unix.NFT_MSG_DELSETELEM, s, gone)
	b.elements(unix.NFT_MSG_NEWSETELEM, s, fresh)
}

func Sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
