package userns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckSpan(t *testing.T) {
	for _, tt := range []struct {
		span Span
		want string
	}{
		{Default(), ""},
		{Span{unit, unit, unit}, ""},
		{Span{unit, 4 * unit, 2 * unit}, ""},
		{Span{maxID - unit, unit, unit}, ""},
		{Span{unit, maxID - unit, unit}, ""},
		{Span{100000, unit, unit}, "multiples"},
		{Span{unit, 100, unit}, "multiples"},
		{Span{unit, unit, 100}, "multiples"},
		{Span{0, unit, unit}, "the machine's own"},
		{Span{unit, 0, unit}, "too few"},
		{Span{unit, unit, 2 * unit}, "too few"},
		{Span{unit, unit, 0}, "too few"},
		{Span{maxID, unit, unit}, "go beyond"},
		{Span{unit, 1 << 32, unit}, "go beyond"},
		{Span{1<<64 - unit, 2 * unit, unit}, "go beyond"},
	} {
		err := tt.span.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v, want %q", tt.span, err, tt.want)
		}
	}
}

func mustAcquire(t *testing.T, l *Leases, id string) Range {
	t.Helper()
	r, err := l.Acquire(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLeases(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "users")
	open := func(base, size uint64) *Leases { return NewLeases(dir, Span{base, size, unit}, nil) }
	l := open(2*unit, 3*unit)
	if err := l.Release("nobody"); err != nil {
		t.Errorf("giving back what nobody has: %v", err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is made before it is needed: %v", err)
	}
	a, b := mustAcquire(t, l, "a"), mustAcquire(t, l, "b")
	if a.First != 2*unit || b.First != 3*unit || mustAcquire(t, l, "a") != a {
		t.Errorf("a has %v, b %v", a, b)
	}
	if err := l.Release("a"); err != nil {
		t.Fatal(err)
	}
	// Another process knows them, goes on from the last, and gives those back last that were given back last.
	l = open(2*unit, 3*unit)
	if got, ok := l.Lookup("b"); !ok || got != b {
		t.Errorf("after a restart b has %v, %v", got, ok)
	}
	if _, ok := l.Lookup("a"); ok {
		t.Error("a still has its range")
	}
	c, d := mustAcquire(t, l, "c"), mustAcquire(t, l, "d")
	if c.First != 4*unit || d != a {
		t.Errorf("c has %v, d %v", c, d)
	}
	if _, err := l.Acquire("e"); !errors.Is(err, ErrExhausted) || !strings.Contains(err.Error(), "3 have some, from 131072 on") {
		t.Errorf("all are taken: %v", err)
	}
	// The configuration has changed: who has a range keeps it.
	l = open(10*unit, unit)
	if mustAcquire(t, l, "b") != b || mustAcquire(t, l, "e").First != 10*unit {
		t.Error("another span moves what is held")
	}
	if err := l.Collect(map[string]bool{"e": true}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(entries); len(entries) != 2 || !strings.Contains(got, "655360+65536") || !strings.Contains(got, "last") {
		t.Errorf("after collecting there are %v", got)
	}
}

// What somebody else has put in the folder is nobody's range, and not given out.
func TestLeasesOfOthers(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{"65536+65536": "x", "noise": "y", "1+2+3": "z"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	l := NewLeases(dir, Span{unit, 3 * unit, unit}, nil)
	if r := mustAcquire(t, l, "a"); r.First != 2*unit {
		t.Errorf("a has %v", r)
	}
}

// Pods of another size keep out of the ranges that there are.
func TestLeasesOfAnotherSize(t *testing.T) {
	dir := t.TempDir()
	small := mustAcquire(t, NewLeases(dir, Span{4 * unit, 8 * unit, unit}, nil), "small")
	l := NewLeases(dir, Span{4 * unit, 8 * unit, 2 * unit}, nil)
	held := []Range{small}
	for _, id := range []string{"a", "b", "c"} {
		r := mustAcquire(t, l, id)
		for _, other := range held {
			if r.overlaps(other) || other.overlaps(r) {
				t.Errorf("%v overlaps %v", r, other)
			}
		}
		if held = append(held, r); r.Count != 2*unit {
			t.Errorf("%s has %v", id, r)
		}
	}
	if _, err := l.Acquire("d"); !errors.Is(err, ErrExhausted) {
		t.Errorf("one more: %v", err)
	}
	if got := mustAcquire(t, l, "small"); got != small {
		t.Errorf("the small one has %v now", got)
	}
}

func TestReachable(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "run", "roots")
	if err := os.MkdirAll(inner, 0o711); err != nil {
		t.Fatal(err)
	}
	for at := dir; at != filepath.Clean(os.TempDir()); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := Reachable(inner); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Dir(inner), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Reachable(inner); err == nil || !strings.Contains(err.Error(), "chmod o+x "+filepath.Dir(inner)) {
		t.Errorf("through a closed folder: %v", err)
	}
}
