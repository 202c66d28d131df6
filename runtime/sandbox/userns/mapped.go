package userns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// mapped makes a mount of what is at source, attached nowhere, whose owners are those of the user namespace at ns.
func mapped(source, ns string) (tree int, err error) {
	namespace, err := os.Open(ns)
	if err != nil {
		return -1, fmt.Errorf("cannot open a user namespace: %w", err)
	}
	defer func() { _ = namespace.Close() }()
	tree, err = unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if errors.Is(err, unix.EINVAL) {
		// Mounts below it that came from another namespace hide what is under them, and go only together.
		tree, err = unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	}
	if err != nil {
		return -1, fmt.Errorf("cannot take hold of %s: %w", source, err)
	}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(namespace.Fd())})
	if err != nil {
		_ = unix.Close(tree)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			return -1, &UnmappableError{source, fileSystem(source), err}
		}
		return -1, fmt.Errorf("cannot map the owners of %s: %w", source, err)
	}
	return tree, nil
}

// Check says whether what is at source can be shown with the ids of the user namespace at ns: an UnmappableError if not.
func Check(source, ns string) error {
	tree, err := mapped(source, ns)
	if err != nil {
		return err
	}
	return unix.Close(tree)
}

// MapAll mounts folders below dir with their owners moved into the user namespace at ns, for as long as it takes to make
// an overlay of them: it keeps mounts of its own (Linux 5.19). Unmap takes dir away.
func MapAll(dir, ns string, folders []string) ([]string, error) {
	if err := Unmap(dir); err != nil { // what a crash has left
		return nil, err
	}
	places := make([]string, len(folders))
	for i, folder := range folders {
		places[i] = filepath.Join(dir, strconv.Itoa(i))
		if err := mapAt(folder, places[i], ns); err != nil {
			return nil, errors.Join(err, Unmap(dir))
		}
	}
	return places, nil
}

func mapAt(folder, place, ns string) error {
	if err := os.MkdirAll(place, 0o700); err != nil {
		return fmt.Errorf("cannot make a place for a mount: %w", err)
	}
	tree, err := mapped(folder, ns)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(tree) }()
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, place, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot mount %s: %w", folder, err)
	}
	return nil
}

// Unmap takes away what MapAll has made in dir, and dir. What is gone already counts as done.
func Unmap(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		place := filepath.Join(dir, e.Name())
		err := unix.Unmount(place, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("cannot unmount %s: %w", place, err))
		}
		errs = append(errs, os.Remove(place)) // not all of it: it could be somebody's files
	}
	return errors.Join(append(errs, os.Remove(dir))...)
}
