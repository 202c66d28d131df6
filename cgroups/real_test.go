package cgroups

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	oc "github.com/opencontainers/cgroups"
	_ "github.com/opencontainers/cgroups/devices"
	"github.com/opencontainers/cgroups/fs2"
	"github.com/opencontainers/cgroups/manager"
)

// openReal is a tree of the test's own below a parent that goes with it.
func openReal(t testing.TB) *Tree { return openRealAt(t, "") }

func openRealAt(t testing.TB, root string) *Tree {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes cgroups of its own")
	}
	parent := fmt.Sprintf("/podd-test-%s-%d-%d", os.Getenv("PODD_TEST_RUN"), os.Getpid(), time.Now().UnixNano())
	tree, err := Open(Options{Root: root, Parent: parent})
	if err != nil {
		made, _ := filepath.Glob("/sys/fs/cgroup/*" + parent)
		for _, dir := range append(made, "/sys/fs/cgroup"+parent) {
			_ = os.Remove(dir)
		}
		t.Skipf("no cgroups to test with: %v", err)
	}
	t.Cleanup(func() {
		if err := tree.Collect(nil); err != nil {
			t.Error(err)
		}
		for _, dir := range tree.dirs(parent) {
			w := waiter{deadline: time.Now().Add(removeTimeout)}
			if err := removeTree(dir, &w); err != nil {
				t.Error(err)
			}
		}
	})
	return tree
}

// Version 2 proper, on a machine that is hybrid: a real hierarchy, without controllers.
func TestV2OnTheKernel(t *testing.T) {
	const unified = "/sys/fs/cgroup/unified"
	if !exists(unified + "/cgroup.controllers") {
		t.Skip("not hybrid: the other tests are on version 2 already, or cannot be")
	}
	tree := openRealAt(t, unified)
	if tree.Version() != 2 {
		t.Fatalf("Version = %d, want 2", tree.Version())
	}
	pod, err := tree.EnsurePod("p", Burstable, Resources{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(tree.dirs(pod + "/c")[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	home, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(home.Fd())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if pids, err := tree.Pids(pod); err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
		t.Errorf("Pids = %v, %v, want [%d]", pids, err, cmd.Process.Pid)
	}
	if u, err := tree.Usage(pod); err != nil || u.MemoryBytes != 0 {
		t.Errorf("Usage = %+v, %v; want no memory without its controller", u, err)
	}
	tree.Warm()
	if err := tree.Kill(pod); err != nil {
		t.Fatal(err)
	}
	if err := tree.RemovePod(pod); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("sleep was not killed")
	}
}

// Processes that do not end keep their cgroup, and RemovePod says so in time.
func TestRemoveWillNotWaitForever(t *testing.T) {
	tree := openReal(t)
	pod, err := tree.EnsurePod("p", Guaranteed, Resources{})
	if err != nil {
		t.Fatal(err)
	}
	startIn(t, pod+"/c", "sleep", "60")
	if err := tree.RemovePod(pod); !errors.Is(err, ErrBusy) {
		t.Errorf("err = %v, want ErrBusy", err)
	}
	if pids, err := tree.Pids(pod); err != nil || len(pids) != 1 {
		t.Errorf("Pids = %v, %v, want it alive", pids, err)
	}
}

// startIn runs a process in a container's cgroup as libcontainer does it.
func startIn(t testing.TB, cgroup string, args ...string) (*exec.Cmd, oc.Manager) {
	t.Helper()
	m, err := manager.New(&oc.Cgroup{Path: cgroup, Resources: &oc.Resources{}})
	if err != nil {
		t.Fatal(err)
	}
	// It waits for its input, so that it does nothing before it is where it belongs.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `read go; exec "$@"`, "sh"}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if err := m.Apply(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	return cmd, m
}

// The paths that libcontainer makes of Path are those that this package looks at.
func TestPathsAreLibcontainers(t *testing.T) {
	tree := openReal(t)
	pod, err := tree.EnsurePod("p", Burstable, Resources{CPUShares: 256})
	if err != nil {
		t.Fatal(err)
	}
	_, m := startIn(t, pod+"/c1", "sleep", "60")
	dirs := tree.dirs(pod + "/c1")
	for subsystem, dir := range m.GetPaths() {
		if !slices.Contains(dirs, dir) {
			t.Errorf("%q of libcontainer is in %s, which is none of %v", subsystem, dir, dirs)
		}
	}
	for _, dir := range dirs {
		if !exists(dir) {
			t.Errorf("libcontainer did not make %s", dir)
		}
	}
}

func TestPathIsLibcontainersOnV2(t *testing.T) {
	o := fakeV2(t, "/")
	o.Parent = "/system.slice/podd.service"
	put(t, o.Root, o.Parent+"/cgroup.controllers", "memory")
	put(t, o.Root, "system.slice/cgroup.controllers", "memory")
	pod, err := openFake(t, o).EnsurePod("p", BestEffort, Resources{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := fs2.NewManager(&oc.Cgroup{Path: pod + "/c1", Resources: &oc.Resources{}}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Path(""), filepath.Join("/sys/fs/cgroup", pod, "c1"); got != want {
		t.Errorf("libcontainer uses %s, want %s", got, want)
	}
}

func TestLimitsReachTheKernel(t *testing.T) {
	tree := openReal(t)
	r := Resources{CPUShares: 256, CPUQuotaUS: 50_000, MemoryLimit: 32 << 20, PidsLimit: 77}
	pod, err := tree.EnsurePod("p", Burstable, r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{"cpu.shares": 256, "cpu.cfs_quota_us": 50_000, "cpu.cfs_period_us": 100_000, "memory.limit_in_bytes": 32 << 20, "pids.max": 77}
	if tree.Version() == 2 {
		want = map[string]uint64{"cpu.weight": oc.ConvertCPUSharesToCgroupV2Value(256), "memory.max": 32 << 20, "pids.max": 77}
	}
	for file, value := range want {
		controller := file[:len(file)-len(filepath.Ext(file))]
		if file == "cpu.cfs_quota_us" || file == "cpu.cfs_period_us" {
			controller = "cpu"
		}
		dir, err := tree.dirFor(controller, pod)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readUint(dir, file); err != nil || got != value {
			t.Errorf("%s = %d, %v, want %d", file, got, err, value)
		}
	}
}

func TestKillAndRemove(t *testing.T) {
	tree := openReal(t)
	pod, err := tree.EnsurePod("p", Guaranteed, Resources{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Kill(pod); err != nil {
		t.Errorf("killing nobody: %v", err)
	}
	a, _ := startIn(t, pod+"/c1", "sleep", "60")
	b, _ := startIn(t, pod+"/c2", "sh", "-c", "sleep 60 & sleep 60 & wait")
	eventually(t, "four processes", func() bool {
		pids, err := tree.Pids(pod)
		if err != nil {
			t.Fatal(err)
		}
		return len(pids) == 4 && slices.Contains(pids, a.Process.Pid) && slices.Contains(pids, b.Process.Pid)
	})
	if u, err := tree.Usage(pod); err != nil || u.CPUNanos == 0 || u.MemoryBytes == 0 || u.Pids != 4 {
		t.Errorf("Usage = %+v, %v", u, err)
	}
	if err := tree.Kill(pod); err != nil {
		t.Fatal(err)
	}
	// No wait between: processes that are about to end are RemovePod's to wait for.
	for range 2 {
		if err := tree.RemovePod(pod); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range tree.dirs(pod) {
		if exists(dir) {
			t.Errorf("%s is left", dir)
		}
	}
	if pids, err := tree.Pids(pod); err != nil || len(pids) != 0 {
		t.Errorf("Pids of what is gone = %v, %v", pids, err)
	}
	if err := tree.Kill(pod); err != nil {
		t.Errorf("killing what is gone: %v", err)
	}
}

func TestCollectKeepsWhoIsWanted(t *testing.T) {
	tree := openReal(t)
	for _, qos := range []string{Guaranteed, Burstable, BestEffort} {
		for _, uid := range []string{"keep-", "drop-"} {
			pod, err := tree.EnsurePod(uid+qos, qos, Resources{})
			if err != nil {
				t.Fatal(err)
			}
			startIn(t, pod+"/c", "sleep", "60")
		}
	}
	// A crash may leave a pod in one hierarchy only.
	last := tree.dirs(tree.kubepods())
	if err := os.MkdirAll(filepath.Join(last[len(last)-1], "podhalf"), 0o755); err != nil {
		t.Fatal(err)
	}
	keep := map[string]bool{"keep-guaranteed": true, "keep-burstable": true, "keep-besteffort": true}
	if err := tree.Collect(keep); err != nil {
		t.Fatal(err)
	}
	pods, err := tree.Pods()
	if err != nil || len(pods) != 3 {
		t.Fatalf("Pods = %v, %v, want the three to keep", pods, err)
	}
	for _, p := range pods {
		if pids, err := tree.Pids(p.Path); !keep[p.UID] || err != nil || len(pids) != 1 {
			t.Errorf("%s has processes %v, %v", p.UID, pids, err)
		}
	}
}

func TestOOMIsCounted(t *testing.T) {
	tree := openReal(t)
	pod, err := tree.EnsurePod("p", Burstable, Resources{MemoryLimit: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	cmd, _ := startIn(t, pod+"/c", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
	if before, err := tree.OOMKills(pod + "/c"); err != nil || before != 0 {
		t.Fatalf("OOMKills = %d, %v before", before, err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process lived on 64 MB within a limit of 8")
	}
	if n, err := tree.OOMKills(pod + "/c"); err != nil || n != 1 {
		t.Errorf("OOMKills = %d, %v, want 1", n, err)
	}
}

func TestEnsurePodAfterTheTierWasRemoved(t *testing.T) {
	tree := openReal(t)
	for range 2 {
		pod, err := tree.EnsurePod("p", BestEffort, Resources{})
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.RemovePod(pod); err != nil {
			t.Fatal(err)
		}
		for _, dir := range tree.dirs(filepath.Dir(pod)) {
			if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
}

func TestManyPodsAtOnce(t *testing.T) {
	tree := openReal(t)
	errs := make(chan error, 100)
	for i := range cap(errs) {
		go func() {
			pod, err := tree.EnsurePod(fmt.Sprint(i), []string{Guaranteed, Burstable, BestEffort}[i%3], Resources{CPUShares: 10})
			if err == nil {
				err = tree.RemovePod(pod)
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if pods, err := tree.Pods(); err != nil || len(pods) != 0 {
		t.Errorf("left: %v, %v", pods, err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
