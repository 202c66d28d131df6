package container

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container/process"
)

// A container whose command the kernel does not execute looks like a lost command: its exit code is for whoever watches it.
func TestReapLostLeavesExitCodes(t *testing.T) {
	e, image := testEngine(t)
	if err := os.WriteFile(filepath.Join(image.Layers[0], "bin/none"), []byte("\x00no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := testConfig(image, "x0", "/bin/none")
	stdio, err := e.OpenStdio(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer stdio.Close()
	p, err := e.Start(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.PIDFD.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		stat, err := process.ReadStat("/proc", p.PID)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("it does not end: %v %v", stat, err)
		}
		if stat.State == 'Z' {
			break
		}
	}
	e.ReapLost()
	var status unix.WaitStatus
	if pid, err := unix.Wait4(p.PID, &status, 0, nil); pid != p.PID || status.ExitStatus() != 255 {
		t.Errorf("waited for %d: %v, exit code %d", pid, err, status.ExitStatus())
	}
	if err := e.Remove(c.ID); err != nil {
		t.Error(err)
	}
}
