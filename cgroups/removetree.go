package cgroups

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"
)

// Remove takes the empty tree away: the tiers, kubepods, and what is above it as far as nobody else uses it
// and no unit of systemd lives there.
// A pod that is left keeps its part. Gone is success.
func (t *Tree) Remove() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.tiers)
	top := t.kubepods()
	var errs []error
	for _, cgroup := range []string{path.Join(top, Burstable), path.Join(top, BestEffort), top, t.parent} {
		if cgroup == "/" || t.lent && cgroup == t.parent {
			continue
		}
		for _, dir := range t.dirs(cgroup) {
			err := unix.Rmdir(dir)
			if err != nil && !gone(err) && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
				errs = append(errs, fmt.Errorf("rmdir %s: %w", dir, err))
			}
		}
	}
	return errors.Join(errs...)
}
