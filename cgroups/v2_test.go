package cgroups

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestV2PodOfEachClass(t *testing.T) {
	o := fakeV2(t, "/user.slice/session-1.scope")
	tree := openFake(t, o)
	for _, p := range []struct {
		uid, qos, want string
		r              Resources
	}{
		{"g", Guaranteed, "/kubepods/podg", Resources{
			CPUShares: 2048, CPUQuotaUS: 200_000, MemoryLimit: 64 << 20, PidsLimit: 100,
		}},
		{"b", Burstable, "/kubepods/burstable/podb", Resources{
			CPUShares: 256, CPUQuotaUS: 5000, CPUPeriodUS: 10_000, OOMGroup: true,
		}},
		{"e", BestEffort, "/kubepods/besteffort/pode", Resources{CPUShares: 2, CPUQuotaUS: -1, MemoryLimit: -1, PidsLimit: -1}},
		{"n", BestEffort, "/kubepods/besteffort/podn", Resources{}},
	} {
		got, err := tree.EnsurePod(p.uid, p.qos, p.r)
		if err != nil || got != p.want {
			t.Errorf("EnsurePod(%s) = %q, %v, want %q", p.uid, got, err, p.want)
		}
	}
	if err := tree.SetTierShares(Burstable, 512); err != nil {
		t.Fatal(err)
	}
	if err := tree.SetTierShares(Guaranteed, MilliCPUToShares(2000)); err != nil {
		t.Fatal(err)
	}
	check(t, listing(t, o.Root), `
/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/besteffort/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/besteffort/cpu.weight: 1
/kubepods/besteffort/pode/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/besteffort/pode/cpu.max: max 100000
/kubepods/besteffort/pode/cpu.weight: 1
/kubepods/besteffort/pode/memory.max: max
/kubepods/besteffort/pode/pids.max: max
/kubepods/besteffort/podn/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/burstable/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/burstable/cpu.weight: 59
/kubepods/burstable/podb/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/burstable/podb/cpu.max: 5000 10000
/kubepods/burstable/podb/cpu.weight: 35
/kubepods/burstable/podb/memory.oom.group: 1
/kubepods/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/cpu.weight: 174
/kubepods/podg/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/kubepods/podg/cpu.max: 200000 100000
/kubepods/podg/cpu.weight: 174
/kubepods/podg/memory.max: 67108864
/kubepods/podg/pids.max: 100
`)
}

func TestV2Hugepages(t *testing.T) {
	o := fakeV2(t, "/")
	put(t, o.Root, "cgroup.controllers", "hugetlb")
	tree := openFake(t, o)
	if _, err := tree.EnsurePod("h", Guaranteed, Resources{Hugepages: map[string]uint64{"2MB": 4 << 20}}); err != nil {
		t.Fatal(err)
	}
	check(t, listing(t, filepath.Join(o.Root, "kubepods/podh")), `
/cgroup.subtree_control: +hugetlb
/hugetlb.2MB.max: 4194304
/hugetlb.2MB.rsvd.max: 4194304
`)
}

// A delegated cgroup cannot have processes and hand controllers down: the daemon goes to a leaf,
// and a daemon that starts there (DelegateSubgroup=, or after a crash) finds the same tree.
func TestV2Delegated(t *testing.T) {
	for _, own := range []string{"/system.slice/podd.service", "/system.slice/podd.service/podd"} {
		o := fakeV2(t, own)
		unit := filepath.Join(o.Root, "/system.slice/podd.service")
		if err := unix.Setxattr(unit, "user.delegate", []byte("1"), 0); err != nil {
			t.Skipf("no extended attributes here: %v", err)
		}
		tree := openFake(t, o)
		got, err := tree.EnsurePod("x", Guaranteed, Resources{})
		if want := "/system.slice/podd.service/kubepods/podx"; err != nil || got != want {
			t.Errorf("EnsurePod = %q, %v, want %q", got, err, want)
		}
		moved := exists(filepath.Join(unit, "podd/cgroup.procs"))
		if want := own == "/system.slice/podd.service"; moved != want {
			t.Errorf("from %s: moved = %v, want %v", own, moved, want)
		}
		if exists(filepath.Join(o.Root, "system.slice/cgroup.subtree_control")) {
			t.Error("touched what is not delegated")
		}
	}
}

// Of what belongs to systemd only the controller that it does not know is touched, and that only where it is wanted.
func TestV2HugePagesOfADelegatedUnit(t *testing.T) {
	const unit = "/podd.slice/podd-pods.service"
	for _, wanted := range []bool{true, false} {
		o := fakeV2(t, unit)
		o.Unit, o.HugePages = unit, wanted
		put(t, filepath.Join(o.Root, unit), "cgroup.controllers", "hugetlb memory")
		if err := unix.Setxattr(filepath.Join(o.Root, unit), "user.delegate", []byte("1"), 0); err != nil {
			t.Skipf("no extended attributes here: %v", err)
		}
		openFake(t, o)
		for _, above := range []string{"/", "/podd.slice"} {
			file := filepath.Join(o.Root, above, "cgroup.subtree_control")
			if !wanted && exists(file) {
				t.Errorf("%s: touched what is not delegated", above)
			}
			if data, err := os.ReadFile(file); wanted && (err != nil || string(data) != "+hugetlb") {
				t.Errorf("%s hands down %q, %v", above, data, err)
			}
		}
	}
}

// A unit that systemd delegates for the pods wins over the daemon's own, which then stays where it is. The unit's
// cgroup is systemd's: it stays when the tree goes.
func TestV2UnitForThePods(t *testing.T) {
	const unit = "/podd.slice/podd-pods.service"
	o := fakeV2(t, "/system.slice/podd.service")
	o.Unit = unit
	dir := filepath.Join(o.Root, unit)
	put(t, dir, "cgroup.controllers", "cpu memory pids\n")
	for _, delegated := range []string{dir, filepath.Join(o.Root, "/system.slice/podd.service")} {
		if err := unix.Setxattr(delegated, "user.delegate", []byte("1"), 0); err != nil {
			t.Skipf("no extended attributes here: %v", err)
		}
	}
	tree := openFake(t, o)
	if tree.Parent() != unit {
		t.Fatalf("Parent = %q, want %q", tree.Parent(), unit)
	}
	if exists(filepath.Join(o.Root, "system.slice/podd.service/podd")) || exists(filepath.Join(o.Root, "podd.slice/cgroup.subtree_control")) {
		t.Error("moved the daemon, or touched what is not delegated")
	}
	if _, err := tree.EnsurePod("x", Guaranteed, Resources{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "kubepods")), os.Remove(filepath.Join(dir, "cgroup.controllers")),
		os.Remove(filepath.Join(dir, "cgroup.subtree_control")), tree.Remove()); err != nil || !exists(dir) {
		t.Errorf("Remove: %v; the unit's cgroup is there: %v", err, exists(dir))
	}
}

func TestV2RootOfACgroupNamespace(t *testing.T) {
	o := fakeV2(t, "/")
	put(t, o.Root, "cgroup.type", "domain\n")
	openFake(t, o)
	check(t, listing(t, o.Root), `
/cgroup.subtree_control: +cpuset +cpu +io +memory +pids
/podd/cgroup.procs: 0
`)
}

// Warming must not move the daemon anywhere.
func TestWarmStaysHome(t *testing.T) {
	o := fakeV2(t, "/user.slice/x.scope")
	openFake(t, o).Warm()
	check(t, listing(t, filepath.Join(o.Root, "user.slice")), "\n/x.scope/cgroup.procs: 0\n")

	tree := openReal(t)
	before, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if tree.ownDir == "" {
		t.Error("own cgroup is not known")
	}
	tree.Warm()
	if after, err := os.ReadFile("/proc/self/cgroup"); err != nil || string(after) != string(before) {
		t.Errorf("moved from\n%s\nto\n%s, %v", before, after, err)
	}
}

func TestV2ExplicitParent(t *testing.T) {
	o := fakeV2(t, "/")
	o.Parent = "a/b"
	put(t, o.Root, "a/cgroup.controllers", "memory")
	put(t, o.Root, "a/b/cgroup.controllers", "memory")
	tree := openFake(t, o)
	if got, err := tree.EnsurePod("x", Burstable, Resources{}); err != nil || got != "/a/b/kubepods/burstable/podx" {
		t.Errorf("EnsurePod = %q, %v", got, err)
	}
	if _, err := tree.EnsurePod("y", Burstable, Resources{PidsLimit: 3}); !errors.Is(err, ErrNoController) {
		t.Errorf("a limit without its controller: err = %v, want ErrNoController", err)
	}
	if got := strings.Join(tree.Controllers(), " "); got != "memory" {
		t.Errorf("Controllers = %q, want memory", got)
	}
}

func TestV2Reading(t *testing.T) {
	o := fakeV2(t, "/")
	tree := openFake(t, o)
	pod, err := tree.EnsurePod("x", Guaranteed, Resources{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Usage("/kubepods/podgone"); err == nil {
		t.Error("Usage of a pod that is gone succeeded")
	}
	dir := filepath.Join(o.Root, pod)
	put(t, dir, "memory.current", "1000\n")
	put(t, dir, "memory.stat", "anon 5\nfile 900\ninactive_file 300\n")
	put(t, dir, "cpu.stat", "usage_usec 7\nuser_usec 3\n")
	put(t, dir, "pids.current", "2\n")
	put(t, dir, "c1/cgroup.procs", "30\n4\n")
	put(t, dir, "cgroup.procs", "4\n0\n")
	put(t, dir, "c1/memory.events", "low 0\noom 9\noom_kill 3\noom_group_kill 0\n")
	if u, err := tree.Usage(pod); err != nil || u != (Usage{1000, 700, 7000, 2}) {
		t.Errorf("Usage = %+v, %v", u, err)
	}
	if pids, err := tree.Pids(pod); err != nil || len(pids) != 2 || pids[0] != 4 || pids[1] != 30 {
		t.Errorf("Pids = %v, %v, want [4 30]", pids, err)
	}
	if n, err := tree.OOMKills(pod + "/c1"); err != nil || n != 3 {
		t.Errorf("OOMKills = %d, %v, want 3", n, err)
	}
	if err := tree.Kill(pod); err != nil {
		t.Fatal(err)
	}
	if n, err := readUint(dir, "cgroup.kill"); err != nil || n != 1 {
		t.Errorf("cgroup.kill = %d, %v, want 1", n, err)
	}
	pods, err := tree.Pods()
	if err != nil || len(pods) != 1 || pods[0] != (Pod{"x", pod}) {
		t.Errorf("Pods = %v, %v", pods, err)
	}
}

func TestVerbsRefuseForeignPaths(t *testing.T) {
	tree := openFake(t, fakeV2(t, "/"))
	for _, path := range []string{
		"", "/", "/kubepods", "/kubepods/", "/kubepods/burstable", "/kubepods/besteffort", "/system.slice/ssh",
		"/kubepods/../system.slice", "/kubepods/podx/", "/kubepodsx/podx", "kubepods/podx",
	} {
		_, pidsErr := tree.Pids(path)
		_, usageErr := tree.Usage(path)
		for _, err := range []error{tree.RemovePod(path), tree.Kill(path), pidsErr, usageErr} {
			if !errors.Is(err, ErrForeignPath) {
				t.Errorf("%q: err = %v, want ErrForeignPath", path, err)
			}
		}
	}
}

func TestEnsurePodRefusesBadNames(t *testing.T) {
	tree := openFake(t, fakeV2(t, "/"))
	for _, uid := range []string{"", "a/b", "..\x00", "a\nb"} {
		if _, err := tree.EnsurePod(uid, Guaranteed, Resources{}); err == nil {
			t.Errorf("EnsurePod(%q) succeeded", uid)
		}
	}
	if _, err := tree.EnsurePod("x", "Guaranteed", Resources{}); err == nil {
		t.Error("an unknown class was taken")
	}
}
