package volume

import (
	"errors"

	"golang.org/x/sys/unix"
)

// detach takes the mount off a name of a folder, with those on it. man 2 umount: lazily, or whoever uses it would keep the pod.
//
// First it leaves its peers. What is mounted on a bind of a shared part of the host has the host's own mount for a peer, which
// the kernel would take off as well (propagate_umount): its disk would be gone. Copies in other mount namespaces go with the
// name, when that is removed (Linux 3.18, detach_mounts).
func detach(parent int, name string) error {
	fd, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	// By the handle: mount follows links. EINVAL: nothing is mounted here.
	if err := unix.Mount("", procFD(fd), "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	path := name
	if parent != unix.AT_FDCWD {
		path = procFD(parent) + "/" + name
	}
	return unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
}
