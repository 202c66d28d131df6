package cgroups

import (
	"fmt"
	"os"
)

// Usage is what a cgroup with all below uses.
type Usage struct {
	MemoryBytes     uint64 // with caches
	WorkingSetBytes uint64 // without file pages that were not used lately
	CPUNanos        uint64 // CPU time so far
	Pids            uint64 // processes and threads
}

// Usage reads the counters. Those of controllers that are not there stay 0; if all are missing the
// cgroup is gone: errors.Is os.ErrNotExist.
func (t *Tree) Usage(cgroup string) (Usage, error) {
	if err := t.isPod(cgroup); err != nil {
		return Usage{}, err
	}
	var u Usage
	var errs [3]error
	u.MemoryBytes, u.WorkingSetBytes, errs[0] = t.memoryBytes(cgroup)
	u.CPUNanos, errs[1] = t.cpuNanos(cgroup)
	u.Pids, errs[2] = t.pidsCurrent(cgroup)
	missing := 0
	for _, err := range errs {
		switch {
		case gone(err):
			missing++
		case err != nil:
			return Usage{}, fmt.Errorf("cannot read usage of cgroup %s: %w", cgroup, err)
		}
	}
	if missing == len(errs) {
		return Usage{}, fmt.Errorf("cannot read usage of cgroup %s: %w", cgroup, os.ErrNotExist)
	}
	return u, nil
}
