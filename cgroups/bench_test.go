package cgroups

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	oc "github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
)

func BenchmarkPod(b *testing.B) {
	tree := openReal(b)
	r := Resources{CPUShares: 256, CPUQuotaUS: 50_000, MemoryLimit: 32 << 20, PidsLimit: 77}
	var remove time.Duration
	for i := 0; b.Loop(); i++ {
		pod, err := tree.EnsurePod(fmt.Sprint(i), Burstable, r)
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := tree.RemovePod(pod); err != nil {
			b.Fatal(err)
		}
		remove += time.Since(start)
	}
	b.ReportMetric(float64(remove.Microseconds())/float64(b.N), "µs-remove")
}

// BenchmarkLibcontainer is what a container's own cgroup costs by libcontainer's manager: with it
// stands or falls the question whether podd needs one of its own.
func BenchmarkLibcontainer(b *testing.B) {
	tree := openReal(b)
	pod, err := tree.EnsurePod("p", Burstable, Resources{})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	home, err := manager.New(&oc.Cgroup{Path: pod + "/home", Resources: &oc.Resources{}})
	if err != nil {
		b.Fatal(err)
	}
	var parts [4]time.Duration
	for i := 0; b.Loop(); i++ {
		r := &oc.Resources{CpuShares: 256, CpuQuota: 50_000, CpuPeriod: 100_000, Memory: 32 << 20}
		start := time.Now()
		lap := func(n int) { parts[n] += time.Since(start); start = time.Now() }
		m, err := manager.New(&oc.Cgroup{Path: fmt.Sprint(pod, "/c", i), Resources: r})
		if err != nil {
			b.Fatal(err)
		}
		lap(0)
		if err := m.Apply(cmd.Process.Pid); err != nil {
			b.Fatal(err)
		}
		lap(1)
		if err := m.Set(r); err != nil {
			b.Fatal(err)
		}
		lap(2)
		if err := home.Apply(cmd.Process.Pid); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		if err := m.Destroy(); err != nil {
			b.Fatal(err)
		}
		lap(3)
	}
	for i, name := range []string{"new", "apply", "set", "destroy"} {
		b.ReportMetric(float64(parts[i].Microseconds())/float64(b.N), "µs-"+name)
	}
}
