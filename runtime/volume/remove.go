package volume

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Remove takes a folder away with all that a pod may have made of it: trees deeper than any path, files that may not
// change, mounts in the middle. A mount is taken off and not entered: what it shows is somebody else's. It returns an
// error rather than to wait; what is gone already counts as removed.
func Remove(dir string) error {
	parent, err := openFolder(unix.AT_FDCWD, filepath.Dir(dir), 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", dir, err)
	}
	defer closeFD(parent)
	r := remover{}
	if err := r.entry(parent, filepath.Base(dir), 0); err != nil {
		return fmt.Errorf("cannot remove %s: %w", dir, err)
	}
	return nil
}

// remover empties a tree. Folders below the deepest that it enters are moved up to the tree's top and removed from there.
type remover struct {
	top   int // the tree's own folder, once it is open
	moved int
}

// maxMountsOn bounds the mounts that lie on one another at one place.
const maxMountsOn = 100

// entry removes one name of a folder, whatever it is.
func (r *remover) entry(parent int, name string, depth int) error {
	for tries := 0; tries < maxMountsOn; tries++ {
		moved := r.moved
		err := unlink(parent, name)
		switch {
		case err == nil || errors.Is(err, unix.ENOENT):
			return nil
		case errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST):
			if err := r.folder(parent, name, depth); err != nil && !errors.Is(err, unix.EXDEV) {
				return err
			} else if err == nil {
				if r.moved > moved {
					tries = 0 // what was too deep is at the top now
				}
				continue
			}
		case !errors.Is(err, unix.EBUSY):
			return err
		}
		if err := detach(parent, name); err != nil {
			return fmt.Errorf("cannot unmount %q: %w", name, err)
		}
	}
	return fmt.Errorf("%q is still in use", name)
}

// unlink removes a file or an empty folder, one that may not be changed included.
func unlink(parent int, name string) error {
	err := unlinkAny(parent, name)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	loosen(parent, ".")
	loosen(parent, name)
	return unlinkAny(parent, name)
}

func unlinkAny(parent int, name string) error {
	err := unix.Unlinkat(parent, name, 0)
	if errors.Is(err, unix.EISDIR) {
		err = unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
	}
	return err
}

// folder empties a folder.
func (r *remover) folder(parent int, name string, depth int) error {
	fd, err := openFolder(parent, name, inside)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	if depth == 0 {
		r.top = fd
	}
	for {
		list, err := names(fd)
		if err == nil {
			err = r.children(fd, list, depth)
		}
		// Those that come meanwhile are for the next pass, if there is one.
		if err != nil || len(list) < batch {
			return err
		}
	}
}

func (r *remover) children(fd int, list []string, depth int) error {
	for _, child := range list {
		var err error
		if depth >= deepest {
			err = r.lift(fd, child)
		} else {
			err = r.entry(fd, child, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lift removes a name that is too deep to be entered, or moves it to the top, where the walk will come by.
func (r *remover) lift(parent int, name string) error {
	err := unlink(parent, name)
	if !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.EBUSY) {
		return ignoreGone(err)
	}
	if errors.Is(err, unix.EBUSY) {
		return r.entry(parent, name, deepest)
	}
	loosen(parent, name)
	err = r.raise(parent, name)
	if errors.Is(err, unix.EXDEV) && openToAll(r.top) == nil { // the top takes in its own project only
		err = r.raise(parent, name)
	}
	return err
}

// raise moves a folder to the top by a name that is free there: a removal that was cut short has left some, and a container
// may have made others.
func (r *remover) raise(parent int, name string) error {
	for {
		r.moved++
		err := unix.Renameat(parent, name, r.top, fmt.Sprintf(".podd-deep-%d", r.moved))
		if !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOTDIR) {
			return err
		}
	}
}

// loosen takes the flags off a file or folder that keep it from being changed. man 2 ioctl_iflags
func loosen(parent int, name string) {
	fd, err := openData(parent, name) // only these have flags
	if err != nil {
		return
	}
	defer closeFD(fd)
	flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
	const fixed = 0x10 | 0x20 // FS_IMMUTABLE_FL, FS_APPEND_FL
	if err != nil || flags&fixed == 0 {
		return
	}
	_ = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags&^fixed)
}
