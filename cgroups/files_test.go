package cgroups

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The Go runtime preempts with signals: none of them may cost a pod its limit.
func TestSignalsDoNotInterruptLimits(t *testing.T) {
	tree := openReal(t)
	r := Resources{CPUShares: 256, CPUQuotaUS: 50_000, MemoryLimit: 32 << 20, PidsLimit: 77}
	pod, err := tree.EnsurePod("p", Burstable, r)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread, done := unix.Gettid(), make(chan struct{})
	var signals sync.WaitGroup
	defer signals.Wait()
	defer close(done)
	signals.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_ = unix.Tgkill(os.Getpid(), thread, unix.SIGURG)
			}
		}
	})
	for range 2000 {
		if err := tree.limits().apply(pod, r); err != nil {
			t.Fatal(err)
		}
	}
}
