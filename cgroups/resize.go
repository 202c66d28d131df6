package cgroups

import (
	"fmt"
	"path/filepath"
)

// Resize changes the CPU and memory limits of a cgroup whose processes run. It sets nothing if the memory in use
// exceeds the new limit. KEP-1287
func (t *Tree) Resize(cgroup string, r Resources) error {
	if err := t.isPod(cgroup); err != nil {
		return err
	}
	if r.MemoryLimit > 0 {
		_, used, err := t.memoryBytes(cgroup)
		if err == nil && used > uint64(r.MemoryLimit) {
			return fmt.Errorf("%w: cgroup %s uses %d bytes, its limit was to be %d", ErrInUse, filepath.Base(cgroup), used, r.MemoryLimit)
		}
		if err := t.limits().raiseSwapLimit(cgroup, r.MemoryLimit); err != nil {
			return err
		}
	}
	if err := t.limits().setCPU(cgroup, r); err != nil {
		return err
	}
	if err := t.limits().setMemory(cgroup, r); err != nil {
		return err
	}
	return t.limits().setSwapLimit(cgroup, r.MemoryLimit)
}

// The limit of memory and swap together that version 1 has must never be below that of memory alone: raised, it
// goes first; lowered, last.
const swapLimit = "memory.memsw.limit_in_bytes"

func (li limits) raiseSwapLimit(cgroup string, limit int64) error {
	dir, err := li.t.dirFor("memory", cgroup)
	if err != nil || li.t.version != 1 || !exists(filepath.Join(dir, swapLimit)) {
		return err
	}
	now, err := readUint(dir, swapLimit)
	if err != nil || now >= uint64(limit) {
		return err
	}
	return li.t.writeInt(dir, swapLimit, limit)
}

func (li limits) setSwapLimit(cgroup string, limit int64) error {
	dir, err := li.t.dirFor("memory", cgroup)
	if err != nil || li.t.version != 1 || limit == 0 || !exists(filepath.Join(dir, swapLimit)) {
		return nil // without the controller there is nothing to set
	}
	return li.t.writeInt(dir, swapLimit, max(limit, -1))
}
