package mcs

import (
	"path/filepath"
	"testing"
)

func TestPairs(t *testing.T) {
	for text, want := range map[string]Pair{
		"c0,c1": {0, 1}, "s0:c7,c1023": {7, 1016}, "s0:c12,c34": {12, 22},
		"c1,c1": {}, "c2,c1": {}, "c1,c1024": {}, "s0": {}, "c1": {}, "c01,c2": {}, "c1,c2x": {}, "s0:c1.c5": {}, "": {}, "last": {},
	} {
		got, ok := Parse(text)
		if ok != (want != Pair{}) || ok && got != want {
			t.Errorf("%q is %+v, %v", text, got, ok)
		}
	}
	seen, p := map[Pair]bool{}, Pair{}
	for range categories * (categories - 1) / 2 {
		p = next(p)
		if p.Count == 0 || p.First+p.Count >= categories || seen[p] {
			t.Fatalf("%v is no pair, or was there before", p)
		}
		seen[p] = true
	}
	if again := next(p); again != (Pair{0, 1}) {
		t.Errorf("after the last comes %v", again)
	}
}

func TestLeases(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "levels")
	one := NewLeases(dir, nil)
	a, errA := one.Acquire("a")
	b, errB := one.Acquire("b")
	if errA != nil || errB != nil || a == b {
		t.Fatalf("two pods have %v and %v: %v, %v", a, b, errA, errB)
	}
	if again, ok := NewLeases(dir, nil).Lookup("b"); !ok || again != b || again.Level() != "s0:"+b.String() {
		t.Errorf("after a restart the second pod has %v", again)
	}
}
