package container

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

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
	got, err := wait4(pid, &ws)
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

func wait4(pid int, ws *unix.WaitStatus) (int, error) {
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
	fields, err := readStat(proc, pid)
	if err != nil || fields.startTime != startTime || fields.state != 'Z' {
		return 0, false
	}
	return fields.exitCode, true
}

type procStat struct {
	state     byte
	parent    int
	session   int
	flags     uint64
	startTime uint64
	exitCode  uint32
}

func readStat(proc string, pid int) (procStat, error) {
	data, err := os.ReadFile(proc + "/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	return parseStat(string(data))
}

func parseStat(line string) (procStat, error) {
	// The command's name may hold spaces and brackets: what counts comes after the last bracket.
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	const first, state, parent, session, flags, start, exit = 3, 3, 4, 6, 9, 22, 52
	if end < 0 || len(fields) <= exit-first {
		return procStat{}, fmt.Errorf("cannot parse process status %q", line)
	}
	startTime, err := strconv.ParseUint(fields[start-first], 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("cannot parse start time: %w", err)
	}
	ppid, err := strconv.Atoi(fields[parent-first])
	if err != nil {
		return procStat{}, fmt.Errorf("cannot parse parent: %w", err)
	}
	sid, err := strconv.Atoi(fields[session-first])
	if err != nil {
		return procStat{}, fmt.Errorf("cannot parse session: %w", err)
	}
	bits, err := strconv.ParseUint(fields[flags-first], 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("cannot parse flags: %w", err)
	}
	code, err := strconv.ParseUint(fields[exit-first], 10, 32)
	if err != nil {
		return procStat{}, fmt.Errorf("cannot parse exit status: %w", err)
	}
	return procStat{state: fields[state-first][0], parent: ppid, session: sid, flags: bits, startTime: startTime, exitCode: uint32(code)}, nil
}
