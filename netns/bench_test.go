package netns

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkAttach is the network of one pod from nothing: namespaces, address, veth pair, route.
func BenchmarkAttach(b *testing.B) {
	n := newTestNetwork(b, "10.88.0.0/16")
	root := newSandboxRoot(b)
	var sandbox, attach, detach, remove time.Duration
	var cpu int64
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("bench-%d", i)
		dir := filepath.Join(root, id)
		start, cpu0 := time.Now(), cpuNow()
		if err := EnsureSandbox(dir, SandboxOptions{Hostname: "web", Net: true, IPC: true, UTS: true}); err != nil {
			b.Fatal(err)
		}
		made := time.Now()
		if _, err := n.Attach(Pod{ID: id, NetNS: filepath.Join(dir, "net")}); err != nil {
			b.Fatal(err)
		}
		cpu += cpuNow() - cpu0
		done := time.Now()
		if err := n.Detach(id); err != nil {
			b.Fatal(err)
		}
		off := time.Now()
		if err := RemoveSandbox(dir); err != nil {
			b.Fatal(err)
		}
		sandbox, attach = sandbox+made.Sub(start), attach+done.Sub(made)
		detach, remove = detach+off.Sub(done), remove+time.Since(off)
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
	b.ReportMetric(per(sandbox), "µs-sandbox")
	b.ReportMetric(per(attach), "µs-attach")
	b.ReportMetric(float64(cpu)/float64(b.N), "µs-cpu-up")
	b.ReportMetric(per(detach), "µs-detach")
	b.ReportMetric(per(remove), "µs-remove")
}

// cpuNow is the process's CPU time in microseconds.
func cpuNow() int64 {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return (r.Utime.Nano() + r.Stime.Nano()) / 1000
}
