package procevent

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/namespace"
	"podd/netns/nstest"
)

// firstPIDNamespace has this number on every kernel (PROC_PID_INIT_INO of linux/proc_ns.h).
const firstPIDNamespace = "pid:[4026531836]"

// watchOutside opens the connector where the kernel has it: in the first network namespace.
func watchOutside(t *testing.T, pids ...int) *exitWatch {
	t.Helper()
	nstest.NeedRoot(t)
	// The kernel numbers processes for the connector as the first PID namespace does, and tells no other one of them.
	if at, err := os.Readlink("/proc/self/ns/pid"); err != nil || at != firstPIDNamespace {
		t.Skipf("no process connector in %s, which is not the first PID namespace", at)
	}
	var w *exitWatch
	err := namespace.OnThread(func() (err error) {
		if err := unix.Setns(nstest.OuterNetns, unix.CLONE_NEWNET); err != nil {
			return err
		}
		w, err = watchExits(pids...)
		return err
	}, unix.CLONE_NEWNET)
	if err != nil {
		t.Skipf("no process connector here: %v", err)
	}
	return w
}

// heard collects what a watch reports while the test goes on.
type heard struct {
	mu     sync.Mutex
	status map[int]uint32
	count  int
}

func (h *heard) add(pid int, status uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status[pid] = status
	h.count++
}

func (h *heard) of(pid int) (uint32, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.status[pid]
	return s, ok
}

func run(t *testing.T, w *exitWatch) *heard {
	t.Helper()
	h := &heard{status: map[int]uint32{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, h.add) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestExitStatus(t *testing.T) {
	h := run(t, watchOutside(t))
	for _, c := range []struct {
		script string
		check  func(syscall.WaitStatus) bool
	}{
		{"exit 0", func(s syscall.WaitStatus) bool { return s.Exited() && s.ExitStatus() == 0 }},
		{"exit 42", func(s syscall.WaitStatus) bool { return s.Exited() && s.ExitStatus() == 42 }},
		{"kill -TERM $$", func(s syscall.WaitStatus) bool { return s.Signaled() && s.Signal() == syscall.SIGTERM }},
	} {
		cmd := exec.Command("/bin/sh", "-c", c.script)
		_ = cmd.Run()
		var status uint32
		nstest.Eventually(t, "the exit of "+c.script, func() (ok bool) {
			status, ok = h.of(cmd.Process.Pid)
			return ok
		})
		if !c.check(syscall.WaitStatus(status)) {
			t.Errorf("%s: status = %#x", c.script, status)
		}
	}
}

func TestOnlyNamedExits(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "read x; exit 7")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := run(t, watchOutside(t, 1<<30, cmd.Process.Pid, 1<<30+1))
	for range 5 {
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	_ = cmd.Wait()
	nstest.Eventually(t, "the exit of the named one", func() bool { _, ok := h.of(cmd.Process.Pid); return ok })
	if s, _ := h.of(cmd.Process.Pid); syscall.WaitStatus(s).ExitStatus() != 7 {
		t.Errorf("status = %#x, want exit 7", s)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count != 1 {
		t.Errorf("heard of %d exits, want 1", h.count)
	}
}

func TestExitFilterTakesManyPids(t *testing.T) {
	pids := make([]int, maxFilterPids)
	for i := range pids {
		pids[i] = 1<<29 + i
	}
	w := watchOutside(t, pids...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(exitFilter(append(pids, 1))); got != len(exitFilter(nil)) {
		t.Errorf("too many pids made a filter of %d instructions", got)
	}
}

func FuzzParseExit(f *testing.F) {
	f.Add(listenRequest())
	f.Fuzz(func(t *testing.T, b []byte) {
		if pid, _, ok := parseExit(b); ok && pid <= 0 {
			t.Errorf("pid = %d", pid)
		}
	})
}
