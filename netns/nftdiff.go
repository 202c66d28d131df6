package netns

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// inKernel is what podd last put into its table: enough to tell what has to change.
type inKernel struct {
	chains map[string]string // digests
	sets   map[string]setInKernel
}

type setInKernel struct {
	definition string
	elements   map[string]string
}

// difference fills b with what turns have into want, and returns want as have for the next time. The
// order keeps every name known before it is used, and unused before it is forgotten.
func difference(b *batch, have *inKernel, want *ruleset) *inKernel {
	next := &inKernel{chains: make(map[string]string, len(want.chains)), sets: make(map[string]setInKernel, len(want.sets))}
	for _, name := range sorted(want.sets) {
		s := want.sets[name]
		if old, ok := have.sets[name]; !ok || old.definition != s.definition() {
			b.addSet(s)
		}
		next.sets[name] = setInKernel{s.definition(), s.elements}
	}
	for _, name := range sorted(want.chains) {
		c := want.chains[name]
		if _, ok := have.chains[name]; !ok {
			b.addChain(c)
		}
		next.chains[name] = c.digest()
	}
	for _, name := range sorted(want.sets) {
		moveElements(b, want.sets[name], have.sets[name].elements)
	}
	changeRules(b, have, want, next)
	for _, name := range sorted(have.chains) {
		if _, stays := want.chains[name]; !stays {
			b.deleteChain(name)
		}
	}
	for _, name := range sorted(have.sets) {
		if _, stays := want.sets[name]; !stays {
			b.deleteSet(name)
		}
	}
	return next
}

// changeRules empties the chains that go and writes those anew that say something else.
func changeRules(b *batch, have *inKernel, want *ruleset, next *inKernel) {
	for _, name := range sorted(have.chains) {
		if _, stays := want.chains[name]; !stays || have.chains[name] != next.chains[name] {
			b.flushChain(name)
		}
	}
	for _, name := range sorted(want.chains) {
		if have.chains[name] == next.chains[name] {
			continue
		}
		for _, r := range want.chains[name].rules {
			b.addRule(name, r)
		}
	}
}

// moveElements takes out what is gone or has another value before it puts in what is new.
func moveElements(b *batch, s *set, have map[string]string) {
	var gone, fresh []element
	for _, key := range sorted(have) {
		if value, ok := s.elements[key]; !ok || value != have[key] {
			gone = append(gone, element{key, have[key]})
		}
	}
	for _, key := range sorted(s.elements) {
		if value, ok := have[key]; !ok || value != s.elements[key] {
			fresh = append(fresh, element{key, s.elements[key]})
		}
	}
	b.elements(unix.NFT_MSG_DELSETELEM, s, gone)
	b.elements(unix.NFT_MSG_NEWSETELEM, s, fresh)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
