package cgroups

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The option comes beside those that the mount had, and a second time changes nothing.
func TestFavorMoves(t *testing.T) {
	tree := openReal(t)
	features, _ := os.ReadFile("/sys/kernel/cgroup/features")
	if tree.Version() != 1 || !strings.Contains(string(features), favorMoves) {
		t.Skip("version 2 alone, or a kernel without the option")
	}
	before, ok := unifiedOptions(t, tree)
	if !ok {
		t.Skip("no version 2 mount beside version 1")
	}
	others := slices.DeleteFunc(slices.Clone(before), func(o string) bool { return o == favorMoves })
	if err := setMountOptions(tree.eventDir("/"), others); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := tree.FavorMoves(); err != nil {
			t.Fatal(err)
		}
		got, _ := unifiedOptions(t, tree)
		slices.Sort(got)
		want := append(slices.Clone(others), favorMoves)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("options are %v, want %v", got, want)
		}
	}
}

func unifiedOptions(t *testing.T, tree *Tree) ([]string, bool) {
	t.Helper()
	mounts, err := readMounts("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if m.v2 && m.dir == strings.TrimSuffix(tree.eventDir("/"), "/") {
			return m.options, true
		}
	}
	return nil, false
}
