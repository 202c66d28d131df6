package namespace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// parentMu keeps two sandboxes from binding their common parent twice.
var parentMu sync.Mutex

// ensurePrivate makes dir a mount of its own that neither sends nor receives mount events.
// Where / is shared, as systemd has it, a namespace bound below a plain folder would appear in
// every mount namespace that is a peer or a slave of ours, and be held there.
func ensurePrivate(dir string) error {
	parentMu.Lock()
	defer parentMu.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make sandbox parent: %w", err)
	}
	is, err := isMountRoot(dir)
	if err != nil {
		return err
	}
	if !is {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot bind %s on itself: %w", dir, err)
		}
	}
	// Also when it was a mount already: a crash may have come between the two calls.
	if err := unix.Mount("", dir, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make %s private: %w", dir, err)
	}
	return nil
}

// isMountRoot asks statx, which knows since Linux 5.8; a bind of a folder on itself has the same
// device on both sides, so comparing st_dev would not tell.
func isMountRoot(dir string) (bool, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, 0, &st); err != nil {
		return false, fmt.Errorf("cannot look at %s: %w", dir, err)
	}
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return false, fmt.Errorf("cannot tell whether %s is a mount: %w", dir, unix.ENOSYS)
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// bindNamespace mounts the namespace of this kind that is at self into the sandbox.
func bindNamespace(self, dir string, k kind) error {
	path := filepath.Join(dir, k.name)
	const flags = unix.O_RDONLY | unix.O_CREAT | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	fd, err := unix.Open(path, flags, 0o400)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EISDIR) { // a link or a folder, which nothing can be bound to
		if err = os.Remove(path); err == nil {
			fd, err = unix.Open(path, flags, 0o400)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", path, err)
	}
	unix.Close(fd)
	if err := unix.Mount(self, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot bind %s namespace at %s: %w", k.name, path, err)
	}
	return nil
}

// Unbind takes away every mount at path, then the file. Removing the file also detaches the
// copies that mount namespaces made after the bind still have (Linux 3.18, detach_mounts), so
// that the pod's namespace does not live on in some service's.
func unbind(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot unmount %s: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove namespace file: %w", err)
	}
	return nil
}

// RemoveParent takes away the mount that holds a folder of sandboxes apart, once it is empty. Gone is success.
func RemoveParent(dir string) error {
	parentMu.Lock()
	defer parentMu.Unlock()
	is, err := isMountRoot(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || !is {
		return err
	}
	if err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot unmount %s: %w", dir, err)
	}
	return nil
}
