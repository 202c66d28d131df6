package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrStatusUnknown says that nobody kept the exit status.
var ErrStatusUnknown = errors.New("exit status is unknown")

// ExitStatus is how a process ended.
type ExitStatus struct {
	Code   int // 128+Signal for a signal, as shells and Kubernetes count
	Signal int // 0: it ended by itself
}

// ParseWaitStatus reads a status as wait(2) gives it.
func ParseWaitStatus(ws uint32) ExitStatus {
	status := unix.WaitStatus(ws)
	if status.Signaled() {
		sig := int(status.Signal())
		return ExitStatus{Code: 128 + sig, Signal: sig}
	}
	return ExitStatus{Code: status.ExitStatus()}
}

// Alive says whether the process behind a pidfd still runs: the descriptor is readable once it is dead.
// man 2 pidfd_open
func Alive(pidfd int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("cannot poll a pidfd: %w", err)
		}
		return n == 0, nil
	}
}

// Reap reads the exit status of a dead process, from whoever has it: the kernel while it is our child,
// PID 1's zombie, or the pidfd after the reaping. ErrStatusUnknown: nobody has it.
func Reap(pid int, startTime uint64, pidfd int) (ExitStatus, error) {
	var ws unix.WaitStatus
	got, err := TryWait(pid, &ws)
	if err == nil && got == pid {
		return ParseWaitStatus(uint32(ws)), nil
	}
	if err == nil {
		return ExitStatus{}, fmt.Errorf("process %d has not ended", pid)
	}
	if status, ok := readZombie("/proc", pid, startTime); ok {
		return ParseWaitStatus(status), nil
	}
	if pidfd < 0 {
		return ExitStatus{}, ErrStatusUnknown
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if err := unix.IoctlPidfdInfo(pidfd, &info); err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
		return ParseWaitStatus(uint32(info.Exit_code)), nil
	}
	return ExitStatus{}, ErrStatusUnknown
}

// TryWait is wait4(2) of one child that may be running still: 0 says so.
func TryWait(pid int, ws *unix.WaitStatus) (int, error) {
	for {
		got, err := unix.Wait4(pid, ws, unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINTR) {
			return got, err
		}
	}
}

// readZombie reads the wait status of a dead process that its parent has not reaped yet. man 5 proc,
// /proc/pid/stat: field 3 is the state, 22 the start time, 52 the exit status.
func readZombie(proc string, pid int, startTime uint64) (uint32, bool) {
	fields, err := ReadStat(proc, pid)
	if err != nil || fields.startTime != startTime || fields.State != 'Z' {
		return 0, false
	}
	return fields.exitCode, true
}
