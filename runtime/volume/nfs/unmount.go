package nfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// How long a server may take for an answer: before a container starts, and before what waits for it is given up. That costs
// data, and one that is busy with much to write answers late.
const (
	lookPatience = 5 * time.Second
	deadPatience = 15 * time.Second
)

// mountsAt lists what is mounted at a path, of any kind, without a look at the path: that might wait for a server.
func mountsAt(path string) ([]*mountinfo.Info, error) {
	return mountinfo.GetMounts(func(i *mountinfo.Info) (skip, stop bool) { return i.Mountpoint != path, false })
}

// mountsBelow lists the mounts of NFS below a folder, the last first, and says of each whether its file system is mounted
// nowhere else.
func mountsBelow(dir string) (list []*mountinfo.Info, alone map[*mountinfo.Info]bool, err error) {
	all, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("nfs", "nfs4"))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the table of mounts: %w", err)
	}
	elsewhere := map[int]bool{}
	for _, i := range all {
		if strings.HasPrefix(i.Mountpoint, dir+"/") {
			list = append(list, i)
		} else {
			elsewhere[i.Minor] = true // the major number of all of them is 0
		}
	}
	slices.Reverse(list)
	alone = map[*mountinfo.Info]bool{}
	for _, i := range list {
		alone[i] = !elsewhere[i.Minor]
	}
	return list, alone, nil
}

// Unmount takes off all mounts of NFS below a folder, and ends those that are still being made. It is lazy, and done by
// processes of their own: what a dead server keeps from being written is left to the kernel.
func (m *Mounter) Unmount(dir string) error {
	for _, target := range m.targetsBelow(dir) {
		m.cancel(target)
	}
	list, alone, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	dead := deadOf(list)
	for _, i := range list {
		flags := unix.MNT_DETACH | unix.UMOUNT_NOFOLLOW
		if dead[i.Minor] && alone[i] {
			flags |= unix.MNT_FORCE
		}
		if err := unmount(i.Mountpoint, flags); err != nil {
			return fmt.Errorf("cannot unmount %s: %w", i.Mountpoint, err)
		}
	}
	return nil
}

// unmount counts as done once the mount is off the table, whatever the kernel still does for it.
func unmount(target string, flags int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := callUnmount(ctx, target, flags)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if left, tableErr := mountsAt(target); tableErr == nil && len(left) == 0 {
		return nil
	}
	return err
}

func (m *Mounter) targetsBelow(dir string) (list []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for target := range m.jobs {
		if strings.HasPrefix(target, dir+"/") {
			list = append(list, target)
		}
	}
	return list
}

// deadOf says which of the mounts' file systems have a server that does not answer, by their minor numbers.
func deadOf(list []*mountinfo.Info) map[int]bool {
	var mu sync.Mutex
	var all sync.WaitGroup
	dead := map[int]bool{}
	seen := map[int]bool{}
	for _, i := range list {
		if seen[i.Minor] {
			continue
		}
		seen[i.Minor] = true
		all.Go(func() {
			if errors.Is(look(i.Mountpoint, deadPatience), ErrNoAnswer) {
				mu.Lock()
				dead[i.Minor] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return dead
}

// look asks the server about a mount.
func look(target string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return callLook(ctx, target)
}

// Look says whether the server of a mount answers: ErrNoAnswer if not, and what it answers if that is an error.
func Look(target string) error {
	if err := look(target, lookPatience); err != nil {
		return fmt.Errorf("cannot look at the root of an NFS mount: %w", err)
	}
	return nil
}

// Force lets all fail that waits for servers that do not answer, of the mounts below a folder: processes that end included. Mounts
// whose file system is mounted elsewhere as well are left alone.
func Force(dir string) error {
	list, alone, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	dead := deadOf(list)
	var errs []error
	for _, i := range list {
		if !alone[i] || !dead[i.Minor] {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), lookPatience)
		errs = append(errs, callForce(ctx, i.Mountpoint))
		cancel()
	}
	return errors.Join(errs...)
}
