package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kill sends SIGKILL to every process in the cgroup and below. It does not wait for their end.
func (t *Tree) Kill(cgroup string) error {
	if err := t.isPod(cgroup); err != nil {
		return err
	}
	if dir := t.eventDir(cgroup); dir != "" {
		err := t.write(dir, "cgroup.kill", "1") // Linux 5.14
		if err == nil && t.version == 2 {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot kill cgroup %s: %w", cgroup, err)
		}
	}
	// Version 1, also hybrid: a crash while a container was put into one hierarchy after the other
	// may have left it in some of them only.
	return t.killEach(cgroup)
}

// killEach signals until a pass finds nobody new: who has the signal pending can fork no more.
func (t *Tree) killEach(cgroup string) error {
	signalled := map[int]bool{}
	for {
		pids, err := t.Pids(cgroup)
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range pids {
			if signalled[pid] {
				continue
			}
			signalled[pid], fresh = true, true
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("cannot kill process %d of cgroup %s: %w", pid, cgroup, err)
			}
		}
		if !fresh {
			return nil
		}
	}
}

// Pids are the processes in the cgroup and below, sorted; none if it is gone.
func (t *Tree) Pids(cgroup string) ([]int, error) {
	if err := t.isPod(cgroup); err != nil {
		return nil, err
	}
	var pids []int
	for _, dir := range t.dirs(cgroup) {
		more, err := pidsBelow(dir)
		if err != nil {
			return nil, fmt.Errorf("cannot list processes of cgroup %s: %w", cgroup, err)
		}
		pids = append(pids, more...)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func pidsBelow(dir string) ([]int, error) {
	pids, err := pidsIn(dir)
	if err != nil {
		return nil, err
	}
	children, err := subdirs(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range children {
		more, err := pidsBelow(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		pids = append(pids, more...)
	}
	return pids, nil
}

// pidsIn leaves out threaded cgroups: the domain above lists their processes (man 7 cgroups).
func pidsIn(dir string) ([]int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if gone(err) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(b)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("cannot parse cgroup.procs: %w", err)
		}
		if pid > 0 { // 0 is a process of another PID namespace
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// subdirs are the cgroups right below.
func subdirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// gone covers a cgroup removed before the call and one removed during it.
func gone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) }
