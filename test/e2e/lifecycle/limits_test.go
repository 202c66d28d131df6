package lifecycle

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"podd/test/harness"
)

// Limits arrive in the kernel: of the container and of the pod, whichever cgroup version it is.
//
// e2e: Kubelet Cgroup Manager :: Pod containers :: On scheduling a Guaranteed Pod :: Pod containers should have been created under the cgroup-root
// e2e: Kubelet Cgroup Manager :: Pod containers :: On scheduling a BestEffort Pod :: Pod containers should have been created under the BestEffort cgroup
// e2e: Kubelet Cgroup Manager :: Pod containers :: On scheduling a Burstable Pod :: Pod containers should have been created under the Burstable cgroup
func TestLimits(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("guaranteed", harness.PodOf("guaranteed", harness.ContainerOf("main", harness.Forever, "resources:\n  limits: {memory: 64Mi, cpu: 250m}")))
	b.MustDrop("burstable", harness.PodOf("burstable", harness.ContainerOf("main", harness.Forever, "resources:\n  requests: {memory: 16Mi, cpu: 100m}")))
	b.MustDrop("besteffort", harness.OnePod("besteffort", harness.Forever))
	for name, qos := range map[string]string{"guaranteed": "Guaranteed", "burstable": "Burstable", "besteffort": "BestEffort"} {
		pod := b.Running(name)
		if string(pod.Status.QOSClass) != qos {
			t.Errorf("%s: qosClass is %s", name, pod.Status.QOSClass)
		}
		dir := cgroupOf(b, name, "memory")
		tier := map[string]string{"guaranteed": "/kubepods/pod", "burstable": "/kubepods/burstable/pod", "besteffort": "/kubepods/besteffort/pod"}[name]
		if !strings.Contains(dir, tier) {
			t.Errorf("%s is in %s", name, dir)
		}
	}
	memory, cpu := cgroupOf(b, "guaranteed", "memory"), cgroupOf(b, "guaranteed", "cpu")
	for _, dir := range []string{memory, filepath.Dir(memory)} {
		if got := readFirst(b, dir, "memory.max", "memory.limit_in_bytes"); got != "67108864" {
			t.Errorf("%s: memory limit %s", dir, got)
		}
	}
	for _, dir := range []string{cpu, filepath.Dir(cpu)} {
		if got := readFirst(b, dir, "cpu.max", "cpu.cfs_quota_us"); got != "25000 100000" && got != "25000" {
			t.Errorf("%s: cpu quota %s", dir, got)
		}
	}
	if got := readFirst(b, cgroupOf(b, "burstable", "cpu"), "cpu.weight", "cpu.shares"); got != "102" && got != "17" && got != "4" {
		t.Errorf("burstable with 100m: cpu share %s", got)
	}
	if got := readFirst(b, cgroupOf(b, "besteffort", "cpu"), "cpu.weight", "cpu.shares"); got != "2" && got != "1" {
		t.Errorf("best effort: cpu share %s", got)
	}
}

// cgroupOf is the folder of the pod's container in the hierarchy of a controller.
func cgroupOf(b *harness.Board, pod, controller string) string {
	b.T.Helper()
	pid := b.PidOf(pod)
	for _, dir := range b.Cgroup().Below() {
		procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil || !strings.Contains("\n"+string(procs), "\n"+strconv.Itoa(pid)+"\n") {
			continue
		}
		if strings.Contains(dir, "/"+controller+"/") || fileExists(filepath.Join(dir, controller+".current")) || fileExists(filepath.Join(dir, controller+".weight")) {
			return dir
		}
	}
	b.T.Fatalf("process %d of pod %s is in no cgroup of %s", pid, pod, controller)
	return ""
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readFirst reads the first of the files that there is.
func readFirst(b *harness.Board, dir string, names ...string) string {
	b.T.Helper()
	for _, name := range names {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return strings.TrimSpace(string(data))
		}
	}
	b.T.Fatalf("none of %v is in %s", names, dir)
	return ""
}
