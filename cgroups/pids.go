package cgroups

import "os"

func (li limits) setPids(cgroup string, r Resources) error {
	if r.PidsLimit == 0 {
		return nil
	}
	dir, err := li.t.dirFor("pids", cgroup)
	if err != nil {
		return err
	}
	return li.t.write(dir, "pids.max", orMax(r.PidsLimit)) // the same file in both versions
}

func (t *Tree) pidsCurrent(cgroup string) (uint64, error) {
	dir, err := t.dirFor("pids", cgroup)
	if err != nil {
		return 0, os.ErrNotExist
	}
	return readUint(dir, "pids.current")
}
