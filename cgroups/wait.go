package cgroups

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// waiter lets time pass while the processes of a cgroup end, until its deadline.
type waiter struct {
	dir      string // with cgroup.events; "" on plain version 1
	deadline time.Time
	pause    time.Duration
}

// wait returns when it is worth trying again, and false when there was no time left.
//
// cgroup.events wakes us when the last process is gone (POLLPRI). Version 1 has nothing to wait
// on, and neither has a cgroup that says that it is empty and yet is busy: there it sleeps, from
// 50 µs on and twice as long each time.
func (w *waiter) wait() bool {
	left := time.Until(w.deadline)
	if left <= 0 {
		return false
	}
	if w.dir != "" && waitEmptied(w.dir, left) {
		return true
	}
	const first, longest = 50 * time.Microsecond, 20 * time.Millisecond
	w.pause = min(max(2*w.pause, first), longest, left)
	time.Sleep(w.pause)
	return true
}

// waitEmptied is true if processes were there and now there are none, or time has run out.
func waitEmptied(dir string, timeout time.Duration) bool {
	f, err := os.Open(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return false
	}
	defer f.Close()
	deadline := time.Now().Add(timeout)
	for first := true; ; first = false {
		if !populated(f) {
			return !first
		}
		left := time.Until(deadline)
		if left <= 0 {
			return true
		}
		p := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLPRI}}
		if _, err := unix.Poll(p, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
	}
}

// populated reads from the start again: that is what arms the next POLLPRI.
func populated(f *os.File) bool {
	var b [128]byte
	n, _ := unix.Pread(int(f.Fd()), b[:], 0)
	return bytes.Contains(b[:max(n, 0)], []byte("populated 1"))
}
