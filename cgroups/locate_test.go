package cgroups

import (
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// A systemd machine on version 1: cpu and cpuacct share a hierarchy, cpuset has none of ours.
const v1Mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
25 24 0:24 / ROOT ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
26 25 0:25 / ROOT/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
27 25 0:26 / ROOT/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd
28 25 0:27 / ROOT/cpu,cpuacct rw,nosuid shared:14 - cgroup cgroup rw,cpu,cpuacct
29 25 0:28 / ROOT/memory rw,nosuid shared:15 - cgroup cgroup rw,memory
30 25 0:29 / ROOT/pids rw,nosuid shared:16 - cgroup cgroup rw,pids
31 25 0:30 / /somewhere/else rw - cgroup cgroup rw,devices
32 25 0:29 / ROOT/pids rw,nosuid shared:16 - cgroup cgroup rw,pids
33 25 0:31 / ROOT/odd rw - cgroup2 cgroup2 rw
`

func fakeV1(t *testing.T) Options {
	t.Helper()
	o := Options{Root: t.TempDir(), ProcSelf: t.TempDir()}
	put(t, o.ProcSelf, "mountinfo", strings.ReplaceAll(v1Mountinfo, "ROOT", o.Root))
	put(t, o.ProcSelf, "cgroup", "5:cpu,cpuacct:/x\n1:name=systemd:/user.slice\n0::/user.slice\n")
	for _, dir := range []string{"unified", "systemd", "cpu,cpuacct", "memory", "pids"} {
		put(t, o.Root, dir+"/cgroup.procs", "")
	}
	return o
}

func TestV1FilesAndFolders(t *testing.T) {
	o := fakeV1(t)
	tree := openFake(t, o)
	if tree.Version() != 1 {
		t.Errorf("Version = %d, want 1 for hybrid", tree.Version())
	}
	if got := strings.Join(tree.Controllers(), " "); got != "cpu cpuacct memory name=systemd pids" {
		t.Errorf("Controllers = %q", got)
	}
	for range 2 {
		pod, err := tree.EnsurePod("x", Burstable, Resources{
			CPUShares: 256, CPUQuotaUS: 50_000, MemoryLimit: 1 << 20, PidsLimit: 9, OOMGroup: true,
		})
		if err != nil || pod != "/kubepods/burstable/podx" {
			t.Fatal(pod, err)
		}
	}
	got := listing(t, o.Root)
	check(t, got, `
/cpu,cpuacct/cgroup.procs: 
/cpu,cpuacct/kubepods/burstable/cpu.shares: 2
/cpu,cpuacct/kubepods/burstable/podx/cpu.cfs_period_us: 100000
/cpu,cpuacct/kubepods/burstable/podx/cpu.cfs_quota_us: 50000
/cpu,cpuacct/kubepods/burstable/podx/cpu.shares: 256
/memory/cgroup.procs: 
/memory/kubepods/burstable/podx/memory.limit_in_bytes: 1048576
/pids/cgroup.procs: 
/pids/kubepods/burstable/podx/pids.max: 9
/systemd/cgroup.procs: 
/unified/cgroup.procs: 
`)
	for _, dir := range tree.dirs("/kubepods") {
		if filepath.Dir(filepath.Dir(dir)) != o.Root {
			t.Errorf("%s is not right below the root", dir)
		}
	}
}

func TestHomeDir(t *testing.T) {
	o := fakeV1(t)
	tree := openFake(t, o)
	if want := filepath.Join(o.Root, "systemd/user.slice"); tree.ownDir != want {
		t.Errorf("ownDir = %q, want %q", tree.ownDir, want)
	}
	put(t, o.ProcSelf, "cgroup", "5:cpu,cpuacct:/x\n")
	if tree, want := openFake(t, o), filepath.Join(o.Root, "cpu,cpuacct/x"); tree.ownDir != want {
		t.Errorf("without systemd: ownDir = %q, want %q", tree.ownDir, want)
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct{ root, cgroup, want string }{
		{"/", "/a/b", "/a/b"},
		{"", "/a", "/a"},
		{"/docker/1", "/docker/1", "/"},
		{"/docker/1", "/docker/1/x", "/x"},
		{"/docker/1", "/docker/12", ""},
		{"/docker/1", "/", ""},
	} {
		if got := below(c.root, c.cgroup); got != c.want {
			t.Errorf("below(%q, %q) = %q, want %q", c.root, c.cgroup, got, c.want)
		}
	}
}

func TestOpenWithoutCgroups(t *testing.T) {
	o := Options{Root: t.TempDir(), ProcSelf: t.TempDir()}
	put(t, o.ProcSelf, "mountinfo", "")
	put(t, o.ProcSelf, "cgroup", "")
	if _, err := Open(o); err == nil {
		t.Error("Open found cgroups in an empty folder")
	}
}

func FuzzLocate(f *testing.F) {
	f.Add(v1Mountinfo, "5:cpu,cpuacct:/x\n0::/..\n")
	f.Add("1 2 3 / / rw - cgroup", "::::")
	f.Fuzz(func(t *testing.T, table, membership string) {
		member := parseMembership(membership)
		mounts, err := cgroupMounts(strings.NewReader(table))
		if err != nil {
			return
		}
		hs, systemd := v1Hierarchies("/sys/fs/cgroup", mounts)
		for _, h := range hs {
			if path.Dir(h.dir) != "/sys/fs/cgroup" {
				t.Errorf("hierarchy %q is not below the root", h.dir)
			}
		}
		parent := chooseParent(Options{Unit: "/unit"}, below(systemd.root, member["name=systemd"]), func(string) bool { return false })
		if parent != "/" {
			t.Errorf("parent = %q without delegation", parent)
		}
		_, _ = parseKey(membership, "oom_kill")
	})
}
