package cgroups

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// removeTimeout bounds how long RemovePod waits for processes that are about to end: a cgroup
// counts a process until the scheduler has let go of it, which is after its parent knows of the exit.
const removeTimeout = 2 * time.Second

// RemovePod removes a pod's cgroup, or a container's, with all below, in every hierarchy. It kills
// nothing. Gone is success. errors.Is ErrBusy: processes are left.
func (t *Tree) RemovePod(cgroup string) error {
	if err := t.isPod(cgroup); err != nil {
		return err
	}
	w := waiter{dir: t.eventDir(cgroup), deadline: time.Now().Add(removeTimeout)}
	for _, dir := range t.dirs(cgroup) {
		if err := removeTree(dir, &w); err != nil {
			return fmt.Errorf("cannot remove cgroup %s: %w", cgroup, err)
		}
	}
	return nil
}

// removeTree tries the folder first: most have nothing below.
func removeTree(dir string, w *waiter) error {
	err := unix.Rmdir(dir)
	if err == nil || gone(err) {
		return nil
	}
	if !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("rmdir %s: %w", dir, err)
	}
	children, err := subdirs(dir)
	if err != nil {
		return err
	}
	for _, name := range children {
		if err := removeTree(filepath.Join(dir, name), w); err != nil {
			return err
		}
	}
	for {
		err := unix.Rmdir(dir)
		if err == nil || gone(err) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("rmdir %s: %w", dir, err)
		}
		if !w.wait() {
			return fmt.Errorf("rmdir %s: %w", dir, ErrBusy)
		}
	}
}
