package cgroups

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The folders of a test stand for cgroups: the kernel tells of their removal in the same way.
func TestOnRemoval(t *testing.T) {
	root := t.TempDir()
	tree := &Tree{version: 1, hierarchies: []hierarchy{{dir: filepath.Join(root, "memory")}, {dir: filepath.Join(root, "cpu")}}}
	hints := make(chan string, 100)
	if err := tree.OnRemoval(func(cgroup string) { hints <- cgroup }); err != nil {
		t.Fatal(err)
	}
	const pod = "/kubepods/pod1"
	for _, dir := range []string{"memory/kubepods/pod1/a", "memory/kubepods/pod2/b"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.WatchPod(pod); err != nil { // cpu has none
		t.Fatal(err)
	}
	for _, dir := range []string{"memory/kubepods/pod2/b", "memory/kubepods/pod1/a"} {
		if err := os.Remove(filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case got := <-hints:
		if got != pod {
			t.Errorf("the removal is said to be in %s", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody is told of a removal")
	}
}
