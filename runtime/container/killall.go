package container

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// killRounds bounds how often new processes are looked for while they are being killed: a command that forks as fast as
// it is killed ends with its container.
const killRounds = 20

// KillAll ends the command with all that it has started: the processes of its session, and their children that began
// one of their own. What has left both is the container's.
func (x *Exec) KillAll() error {
	pid, err := x.process.Pid()
	if err != nil {
		return fmt.Errorf("cannot kill a command: %w", err)
	}
	for range killRounds {
		pids, err := x.container.Processes()
		if err != nil {
			return errors.Join(fmt.Errorf("cannot list the processes of a command: %w", err), x.Kill())
		}
		victims := offspring("/proc", pids, pid)
		for _, v := range victims {
			if err := v.kill(); err != nil {
				return err
			}
		}
		if len(victims) == 0 {
			return nil
		}
	}
	return nil
}

type victim struct {
	pid   int
	start uint64
}

// offspring finds the living among pids that are of the session that pid leads, and the descendants of those.
func offspring(proc string, pids []int, pid int) []victim {
	stats := make(map[int]procStat, len(pids))
	for _, p := range pids {
		if stat, err := readStat(proc, p); err == nil {
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
			p = stat.parent
		}
		return false
	}
	var list []victim
	for _, p := range pids {
		if stat, known := stats[p]; known && stat.state != 'Z' && stat.state != 'X' && of(p) {
			list = append(list, victim{p, stat.startTime})
		}
	}
	return list
}

// kill sends SIGKILL to the process and not to one that has its number by now.
func (v victim) kill() error {
	fd, err := unix.PidfdOpen(v.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open process %d: %w", v.pid, err)
	}
	defer unix.Close(fd)
	if stat, err := readStat("/proc", v.pid); err != nil || stat.startTime != v.start {
		return nil // it is gone
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot kill process %d: %w", v.pid, err)
	}
	return nil
}
