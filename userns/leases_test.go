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
		base, size uint64
		want       string
	}{
		{DefaultBase, DefaultSize, ""},
		{Count, Count, ""},
		{maxID - Count, Count, ""},
		{Count, maxID - Count, ""},
		{100000, Count, "multiples"},
		{Count, 100, "multiples"},
		{0, Count, "the machine's own"},
		{Count, 0, "too few"},
		{maxID, Count, "go beyond"},
		{Count, 1 << 32, "go beyond"},
		{1<<64 - Count, 2 * Count, "go beyond"},
	} {
		err := CheckSpan(tt.base, tt.size)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%d from %d on: %v, want %q", tt.size, tt.base, err, tt.want)
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
	open := func(base, size uint64) *Leases { return NewLeases(dir, base, size) }
	l := open(2*Count, 3*Count)
	if err := l.Release("nobody"); err != nil {
		t.Errorf("giving back what nobody has: %v", err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is made before it is needed: %v", err)
	}
	a, b := mustAcquire(t, l, "a"), mustAcquire(t, l, "b")
	if a.First != 2*Count || b.First != 3*Count || mustAcquire(t, l, "a") != a {
		t.Errorf("a has %v, b %v", a, b)
	}
	if err := l.Release("a"); err != nil {
		t.Fatal(err)
	}
	// Another process knows them, goes on from the last, and gives those back last that were given back last.
	l = open(2*Count, 3*Count)
	if got, ok := l.Lookup("b"); !ok || got != b {
		t.Errorf("after a restart b has %v, %v", got, ok)
	}
	if _, ok := l.Lookup("a"); ok {
		t.Error("a still has its range")
	}
	c, d := mustAcquire(t, l, "c"), mustAcquire(t, l, "d")
	if c.First != 4*Count || d != a {
		t.Errorf("c has %v, d %v", c, d)
	}
	if _, err := l.Acquire("e"); !errors.Is(err, ErrExhausted) || !strings.Contains(err.Error(), "there are 3 ranges from 131072 on") {
		t.Errorf("all are taken: %v", err)
	}
	// The configuration has changed: who has a range keeps it.
	l = open(10*Count, Count)
	if mustAcquire(t, l, "b") != b || mustAcquire(t, l, "e").First != 10*Count {
		t.Error("another span moves what is held")
	}
	if err := l.Collect(map[string]bool{"e": true}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(entries); len(entries) != 2 || !strings.Contains(got, "655360") || !strings.Contains(got, lastFile) {
		t.Errorf("after collecting there are %v", got)
	}
}

// What somebody else has put in the folder is nobody's range, and not given out.
func TestLeasesOfOthers(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{"65536": "x", "noise": "y", lastFile: "noise"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "131072"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := NewLeases(dir, Count, 3*Count)
	if r := mustAcquire(t, l, "a"); r.First != 3*Count {
		t.Errorf("a has %v", r)
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
