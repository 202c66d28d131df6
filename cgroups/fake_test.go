package cgroups

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeV2 is a folder that looks like the root of version 2 from a daemon in own.
func fakeV2(t *testing.T, own string) Options {
	t.Helper()
	o := Options{Root: t.TempDir(), ProcSelf: t.TempDir()}
	put(t, o.ProcSelf, "cgroup", "0::"+own+"\n")
	for dir := own; ; dir = filepath.Dir(dir) {
		put(t, o.Root, dir+"/cgroup.controllers", "cpuset cpu io memory pids\n")
		if dir == "/" {
			return o
		}
		put(t, o.Root, dir+"/cgroup.type", "domain\n")
	}
}

func put(t *testing.T, dir, file, text string) {
	t.Helper()
	path := filepath.Join(dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// openFake lets writes make files, as cgroupfs makes them with the folder.
func openFake(t *testing.T, o Options) *Tree {
	t.Helper()
	tree, err := open(o, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// listing is every file below dir with its text, except what fakeV2 put there.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "cgroup.controllers" || d.Name() == "cgroup.type" {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s: %s\n", strings.TrimPrefix(path, dir), strings.TrimSpace(string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func check(t *testing.T, got, golden string) {
	t.Helper()
	if want := strings.TrimLeft(golden, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
