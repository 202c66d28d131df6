package cgroups

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// favorMoves is the mount option that keeps the lock of all moves ready for them.
const favorMoves = "favordynmods"

// FavorMoves asks a kernel with version 1 hierarchies to make moves between cgroups cheap (favordynmods, Linux 6.0).
//
// On version 1 a process can only be moved into its cgroup, and after some 15 ms without a move the lock that shuts
// forks out waits for an RCU grace period of 5 to 15 ms first. The option is one of the version 2 mount, which holds
// for all hierarchies until it is taken away; forks cost a little more. On version 2 processes are born in their
// cgroup, and there is nothing to do. Kernels without it have Warm.
func (t *Tree) FavorMoves() error {
	if t.version != 1 {
		return nil
	}
	mounts, err := readMounts(t.procSelf)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		ours := slices.ContainsFunc(t.hierarchies, func(h hierarchy) bool { return h.v2 && h.dir == m.dir })
		if ours && !slices.Contains(m.options, favorMoves) {
			return setMountOptions(m.dir, append(m.options, favorMoves))
		}
	}
	return nil
}

// setMountOptions sets those of the file system at dir. The kernel takes away what is not among them.
func setMountOptions(dir string, options []string) error {
	fd, err := unix.Fspick(unix.AT_FDCWD, dir, unix.FSPICK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("cannot open the mount %s: %w", dir, err)
	}
	defer unix.Close(fd)
	for _, o := range options {
		if err := unix.FsconfigSetFlag(fd, o); err != nil {
			return fmt.Errorf("cannot set %s on %s: %w", o, dir, err)
		}
	}
	if err := unix.FsconfigReconfigure(fd); err != nil {
		return fmt.Errorf("cannot set %s on %s: %w", strings.Join(options, ","), dir, err)
	}
	return nil
}
