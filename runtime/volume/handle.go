package volume

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openFolder opens a folder without following a link at its end. With resolve it is held below parent: man 2 openat2.
func openFolder(parent int, name string, resolve uint64) (int, error) {
	for {
		fd, err := unix.Openat2(parent, name, &unix.OpenHow{
			Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOATIME,
			Resolve: resolve,
		})
		// EAGAIN: a rename elsewhere came between; it is to be tried again.
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// inside keeps a walk within the tree and on its file system: neither links nor mounts are crossed.
const inside = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS

func closeFD(fd int) { _ = unix.Close(fd) }

// procFD names an open file for calls that take no descriptor.
func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// openData opens a file or a folder; anything else is ENOENT. A container may exchange what was there a moment ago for a
// device, which it may make but not open, and to open one does something.
func openData(parent int, name string) (int, error) {
	handle, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer closeFD(handle)
	return reopenData(handle)
}

// reopenData opens what a handle of O_PATH stands for.
func reopenData(handle int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(handle, &st); err != nil {
		return -1, err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return -1, unix.ENOENT
	}
	return unix.Open(procFD(handle), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// batch is how many names of a folder are in memory at a time: a container may have made millions of them.
const batch = 1024

// names lists the first of a folder.
func names(fd int) ([]string, error) {
	own, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(own), "folder")
	defer func() { _ = f.Close() }()
	list, err := f.Readdirnames(batch)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, err
}

// deepest bounds the open descriptors of a walk: a pod may have made a tree deeper than any limit.
const deepest = 256

var errTooDeep = fmt.Errorf("the tree is deeper than %d folders", deepest)

// visitor sees one name of a folder.
type visitor func(parent int, name string, st *unix.Stat_t) error

// walk visits all below a folder, parents before their children, links and mounts never followed.
func walk(fd int, visit visitor) error {
	own, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ignoreGone(err)
	}
	return walkDown(own, 0, visit)
}

// walkDown visits what is below a folder, and closes it.
func walkDown(fd, depth int, visit visitor) error {
	f := os.NewFile(uintptr(fd), "folder")
	defer func() { _ = f.Close() }()
	if depth > deepest {
		return errTooDeep
	}
	for {
		list, err := f.Readdirnames(batch)
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ENOENT) { // it is removed meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range list {
			if err := walkName(fd, name, depth, visit); err != nil {
				return err
			}
		}
	}
}

func walkName(parent int, name string, depth int, visit visitor) error {
	var st unix.Stat_t
	if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return ignoreGone(err)
	}
	if err := visit(parent, name, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	return walkInto(parent, name, depth, visit)
}

func walkInto(parent int, name string, depth int, visit visitor) error {
	fd, err := openFolder(parent, name, inside)
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENOENT) {
		return nil // a mount, or exchanged for something else meanwhile
	}
	if err != nil {
		return err
	}
	return walkDown(fd, depth+1, visit)
}
