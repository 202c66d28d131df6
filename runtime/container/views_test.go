package container

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"

	"podd/runtime/container/spec"
)

// A container sees the same of its cgroups whether podd's init has gathered them or libcontainer's, and the host nothing of it.
func TestCgroupView(t *testing.T) {
	if cgroups.IsCgroup2UnifiedMode() {
		t.Skip("cgroup version 2 needs no view")
	}
	e, image := testEngine(t)
	theirs := cgroupMounts(t, e, image, "theirs")
	e.Views.Cgroups = filepath.Join(t.TempDir(), "cgroup")
	if err := e.Views.ensureCgroups(); err != nil || len(e.Views.hierarchies) == 0 {
		t.Fatalf("hierarchies %v, %v", e.Views.hierarchies, err)
	}
	ours := cgroupMounts(t, e, image, "ours")
	if !slices.Equal(theirs, ours) || len(ours) < 2 {
		t.Errorf("by libcontainer:\n%s\nby podd:\n%s", strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), e.Views.Cgroups) {
		t.Errorf("the host has mounts at %s, %v", e.Views.Cgroups, err)
	}
}

// cgroupMounts runs a container and lists what it has at /sys/fs/cgroup: place, options, type, and the cgroup without the
// container's name.
func cgroupMounts(t *testing.T, e *Engine, image spec.Image, id string) []string {
	t.Helper()
	out := t.TempDir()
	c := testConfig(image, id, "sh", "-c", "cat /proc/self/mountinfo > /out/mounts && cat /sys/fs/cgroup/memory/memory.limit_in_bytes")
	c.Mounts = []spec.Mount{{Source: out, Destination: "/out"}}
	if status := runToEnd(t, e, c); status.Code != 0 {
		t.Fatalf("%+v", status)
	}
	mounts, err := os.ReadFile(filepath.Join(out, "mounts"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		before, after, _ := strings.Cut(line, " - ")
		if !strings.HasPrefix(f[4], "/sys/fs/cgroup") {
			continue
		}
		root := strings.Replace(f[3], "/"+id, "/ID", 1)
		if f[4] == "/sys/fs/cgroup" { // libcontainer lets the container write in it
			root, f[5], after = "", strings.TrimPrefix(f[5], f[5][:3]), strings.Fields(after)[0]
		}
		list = append(list, strings.Join([]string{f[4], f[5], root, strings.TrimSpace(after), strings.Join(strings.Fields(before)[6:], " ")}, " "))
	}
	slices.Sort(list)
	return list
}
