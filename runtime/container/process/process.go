// Package process watches and ends processes that podd did not necessarily start: by pidfd, and by number only together
// with the time of the start.
package process

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens a living process by its number, if it is still the one that started at startTime, in clock ticks since
// boot; nil: it is gone. The check
// comes after the opening: a number that was handed on in between does not pass.
func Open(pid int, startTime uint64) *os.File {
	if pid <= 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	stat, err := ReadStat("/proc", pid)
	if err != nil || stat.startTime != startTime || stat.State == 'Z' {
		closeFile(f)
		return nil
	}
	return f
}

// Ref names a process for good: its number may be handed on.
type Ref struct {
	PID       int
	StartTime uint64
}

// Descendants finds the living among pids that are of the session that pid leads, and the descendants of those.
func Descendants(proc string, pids []int, pid int) []Ref {
	stats := make(map[int]Stat, len(pids))
	for _, p := range pids {
		if stat, err := ReadStat(proc, p); err == nil {
			stats[p] = stat
		}
	}
	of := func(p int) bool {
		for range len(stats) + 1 {
			stat, known := stats[p]
			if p == pid || known && stat.session == pid {
				return true
			}
			if !known {
				return false
			}
			p = stat.Parent
		}
		return false
	}
	var list []Ref
	for _, p := range pids {
		if stat, known := stats[p]; known && stat.State != 'Z' && stat.State != 'X' && of(p) {
			list = append(list, Ref{p, stat.startTime})
		}
	}
	return list
}

// Kill sends SIGKILL to the process and not to one that has its number by now.
func (v Ref) Kill() error {
	fd, err := unix.PidfdOpen(v.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open process %d: %w", v.PID, err)
	}
	defer unix.Close(fd)
	if stat, err := ReadStat("/proc", v.PID); err != nil || stat.startTime != v.StartTime {
		return nil // it is gone
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot kill process %d: %w", v.PID, err)
	}
	return nil
}

func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}
