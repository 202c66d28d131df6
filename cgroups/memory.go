package cgroups

import (
	"os"
	"strconv"
)

func (li limits) setMemory(cgroup string, r Resources) error {
	if r.MemoryLimit == 0 && !r.OOMGroup {
		return nil
	}
	dir, err := li.t.dirFor("memory", cgroup)
	if err != nil {
		return err
	}
	if li.t.version == 1 {
		if r.MemoryLimit == 0 {
			return nil
		}
		return li.t.writeInt(dir, "memory.limit_in_bytes", max(r.MemoryLimit, -1))
	}
	if r.MemoryLimit != 0 {
		if err := li.t.write(dir, "memory.max", orMax(r.MemoryLimit)); err != nil {
			return err
		}
	}
	if r.OOMGroup {
		return li.t.write(dir, "memory.oom.group", "1")
	}
	return nil
}

func orMax(v int64) string {
	if v < 0 {
		return "max"
	}
	return strconv.FormatInt(v, 10)
}

// memoryBytes is what is in use, and the part of it that cannot simply be dropped: all but the
// file pages that were not used lately, as cAdvisor and the kubelet count the working set.
func (t *Tree) memoryBytes(cgroup string) (usage, workingSet uint64, err error) {
	dir, err := t.dirFor("memory", cgroup)
	if err != nil {
		return 0, 0, os.ErrNotExist
	}
	current, inactive := "memory.current", "inactive_file"
	if t.version == 1 {
		current, inactive = "memory.usage_in_bytes", "total_inactive_file"
	}
	if usage, err = readUint(dir, current); err != nil {
		return 0, 0, err
	}
	idle, err := readKey(dir, "memory.stat", inactive)
	if err != nil {
		return 0, 0, err
	}
	return usage, usage - min(idle, usage), nil
}

// OOMKills is how many processes of a container's cgroup the OOM killer has ended, for the limit
// of the container, of its pod, or for want of memory at all: the kernel counts at the victim. On
// version 2 cgroups below count in, on version 1 they do not.
func (t *Tree) OOMKills(cgroup string) (uint64, error) {
	dir, err := t.dirFor("memory", cgroup)
	if err != nil {
		return 0, err
	}
	if t.version == 2 {
		return readKey(dir, "memory.events", "oom_kill")
	}
	return readKey(dir, "memory.oom_control", "oom_kill")
}
