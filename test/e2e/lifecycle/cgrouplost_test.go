package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// robCgroups moves the processes of a pod's only container out of its cgroups that the filter names by their folders, and
// removes these, as a service manager does with what it does not know.
func robCgroups(b *harness.Board, pod *corev1.Pod, filter func(dir string) bool) {
	b.T.Helper()
	id := strings.TrimPrefix(harness.ContainerStatus(pod, "main").ContainerID, "podd://")
	robbed := 0
	for _, dir := range b.Cgroup().Below() {
		if filepath.Base(dir) != id || !filter(dir) {
			continue
		}
		robbed++
		mount, _, _ := strings.Cut(dir, cgroupRoot(b))
		refuge := filepath.Join(mount, cgroupRoot(b), "daemon", "cgroup.procs")
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			for pid := range strings.FieldsSeq(string(procs)) {
				_ = os.WriteFile(refuge, []byte(pid), 0) // it may have ended
			}
			if errors.Is(err, os.ErrNotExist) {
				return true, nil // podd has seen the loss of another, and was quicker
			}
			err = errors.Join(err, os.Remove(dir))
			return err == nil || errors.Is(err, os.ErrNotExist), err
		}))
	}
	if robbed == 0 {
		b.T.Fatalf("no cgroup of container %s", id)
	}
}

func everyCgroup(string) bool { return true }

// memoryCgroup is the one whose limit matters most; with version 2 there is only one.
func memoryCgroup(dir string) bool {
	return strings.Contains(dir, "/memory/") || fileExists(filepath.Join(dir, "memory.current"))
}

// A container whose cgroup somebody has removed would run without limits, and nothing could be run in it: that is noticed at
// once, or when podd starts, said, and the container starts again with its limits.
func TestRemovedCgroup(t *testing.T) {
	t.Parallel()
	for name, filter := range map[string]func(string) bool{"all": everyCgroup, "memory": memoryCgroup} {
		for _, up := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, podd runs: %v", name, up), func(t *testing.T) {
				t.Parallel()
				b := harness.NewBoard(t)
				b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("main", harness.Forever, "resources: {limits: {memory: 64Mi, cpu: 250m}}")))
				before := b.Running("app")
				if !up {
					b.MustKill9()
				}
				robCgroups(b, before, filter)
				if !up {
					b.MustStart()
				}
				b.Happened("app", "CgroupLost", "runs without limits", 1)
				b.WaitPod("app", harness.HasRestarted("main", 1))
				b.Running("app")
				b.Sh("app", "main", "true")
				if got := readFirst(b, cgroupOf(b, "app", "memory"), "memory.max", "memory.limit_in_bytes"); got != "67108864" {
					t.Errorf("the memory limit is %s", got)
				}
				if got := readFirst(b, filepath.Dir(cgroupOf(b, "app", "memory")), "memory.max", "memory.limit_in_bytes"); got != "67108864" {
					t.Errorf("the pod's memory limit is %s", got)
				}
				b.MustRemove("app")
				b.Gone("app")
				b.Cleared()
			})
		}
	}
}

// What runs in the cgroup of a container that is to start, and that no record speaks of, is ended: it does not keep the
// container from starting for good.
func TestStraysInACgroup(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	id := strings.TrimPrefix(harness.ContainerStatus(b.Running("app"), "main").ContainerID, "podd://")
	stray := b.In("sleep", "3600")
	b.Must(stray.Start())
	ended := make(chan error, 1)
	go func() { ended <- stray.Wait() }()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { // before that its shell moves itself
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", stray.Process.Pid))
		return string(comm) == "sleep\n", fmt.Errorf("%q %v", comm, err)
	}))
	put := 0
	for _, dir := range b.Cgroup().Below() {
		if filepath.Base(dir) != id {
			continue
		}
		next := strings.TrimSuffix(dir, "0") + "1"
		b.Must(os.Mkdir(next, 0o755))
		// A cpuset of version 1 takes nobody before it has processors.
		if os.WriteFile(filepath.Join(next, "cgroup.procs"), []byte(strconv.Itoa(stray.Process.Pid)), 0) == nil {
			put++
		}
	}
	if put == 0 {
		t.Fatalf("no cgroup beside that of container %s", id)
	}
	b.Must(unix.Kill(b.PidOf("app"), unix.SIGKILL))
	b.WaitPod("app", harness.HasRestarted("main", 1))
	b.Running("app")
	b.Sh("app", "main", "true")
	select {
	case <-ended:
	case <-time.After(harness.Limit):
		t.Error("the stray lives")
	}
}

// What podd itself removes is not lost.
func TestOwnCgroupsAreNotLost(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("main", harness.Forever), harness.ContainerOf("ends", "sleep 0.2; exit 1")))
	b.WaitPod("app", harness.HasRestarted("ends", 2))
	b.NeverHappened("app", "CgroupLost")
}
