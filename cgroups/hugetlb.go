package cgroups

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// setHugetlb limits use and, where the kernel has it (5.7), reservation: without the latter, a
// process over the limit learns it by SIGBUS instead of a failing mmap. Where nobody has handed the controller down
// (Options.HugePages), huge pages are everybody's, as with a kubelet: it limits nothing else.
func (li limits) setHugetlb(cgroup string, r Resources) error {
	if len(r.Hugepages) == 0 {
		return nil
	}
	dir, err := li.t.dirFor("hugetlb", cgroup)
	if errors.Is(err, ErrNoController) {
		return nil
	}
	if err != nil {
		return err
	}
	suffix := "limit_in_bytes"
	if li.t.version == 2 {
		suffix = "max"
	}
	for _, size := range slices.Sorted(maps.Keys(r.Hugepages)) {
		limit := strconv.FormatUint(r.Hugepages[size], 10)
		if err := li.t.write(dir, "hugetlb."+size+"."+suffix, limit); err != nil {
			return err
		}
		err := li.t.write(dir, "hugetlb."+size+".rsvd."+suffix, limit)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}
