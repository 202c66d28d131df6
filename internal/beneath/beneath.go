// Package beneath works in folders that containers may write to: whatever stands in the place of a folder or a file there,
// nothing is reached that is outside, nothing waits, and no device is touched (CVE-2017-1002101, CVE-2021-25741 and kin).
package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotRegular says that a link, a named pipe, a socket, a device or a folder stands in the place of a file.
	ErrNotRegular = errors.New("not a regular file")
	// ErrNotFolder says that something else, a link to a folder among them, stands in the place of a folder.
	ErrNotFolder = errors.New("not a folder")
)

const folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// Folder opens the folder that is reached from root by the names, none of which may be a link. root itself may be one.
// Step by step from an open folder this is what openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS does, on every
// kernel and below every seccomp filter. The errors are fs.ErrNotExist, ErrNotFolder, or the kernel's.
func Folder(root string, names ...string) (*os.Root, error) {
	return descend(root, names, func(int, string) error { return nil })
}

// MakeFolder is Folder that makes what is missing, with this mode. A link, a pipe, a socket or a device in the place of a
// folder is removed: there is nothing in it. A file stays, and is ErrNotFolder.
func MakeFolder(root string, mode fs.FileMode, names ...string) (*os.Root, error) {
	return descend(root, names, func(parent int, name string) error {
		err := unix.Mkdirat(parent, name, uint32(mode.Perm()))
		if !errors.Is(err, unix.EEXIST) {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFDIR || kind == unix.S_IFREG {
			return nil
		}
		return errors.Join(unix.Unlinkat(parent, name, 0), unix.Mkdirat(parent, name, uint32(mode.Perm())))
	})
}

func descend(root string, names []string, before func(parent int, name string) error) (*os.Root, error) {
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: root, Err: err}
	}
	path := root
	for _, name := range names {
		path = filepath.Join(path, name)
		next := -1
		if err = checkName(name); err == nil {
			err = before(fd, name)
		}
		if err == nil {
			next, err = unix.Openat(fd, name, folderFlags, 0)
		}
		_ = unix.Close(fd)
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			err = ErrNotFolder
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		fd = next
	}
	defer func() { _ = unix.Close(fd) }()
	// os has no Root of a descriptor; man 5 proc, /proc/PID/fd.
	return os.OpenRoot(procFD(fd))
}

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q cannot be the name of a folder or file: %w", name, fs.ErrInvalid)
	}
	return nil
}

// Open opens a regular file of a folder for reading. name has no slash.
func Open(dir *os.Root, name string) (*os.File, error) { return OpenFile(dir, name, os.O_RDONLY, 0) }

// OpenFile opens a regular file of a folder with flags of os.OpenFile. It follows no link, does not wait for the other
// end of a pipe or the end of a lease (man 2 fcntl, F_SETLEASE), and looks before it opens: to open some devices does
// something. The errors are fs.ErrNotExist, ErrNotRegular, or the kernel's.
func OpenFile(dir *os.Root, name string, flags int, perm fs.FileMode) (*os.File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	const tries = 10 // somebody may remove and make it all the time
	for range tries {
		handle, err := dir.OpenFile(name, unix.O_PATH|unix.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) && flags&os.O_CREATE != 0 {
			f, err := dir.OpenFile(name, flags|os.O_EXCL|unix.O_NONBLOCK, perm)
			if errors.Is(err, fs.ErrExist) && flags&os.O_EXCL == 0 {
				continue
			}
			return f, err
		}
		if err != nil {
			return nil, err
		}
		defer func() { _ = handle.Close() }()
		if flags&os.O_EXCL != 0 {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
		}
		return reopen(handle, name, flags)
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: unix.EAGAIN}
}

func reopen(handle *os.File, name string, flags int) (*os.File, error) {
	info, err := handle.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("it is %s, %w", Kind(info.Mode()), ErrNotRegular)}
	}
	fd, err := unix.Open(procFD(int(handle.Fd())), flags&^os.O_CREATE|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Kind names what stands where a regular file is expected.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a regular file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// List lists the names in a folder, in no order.
func List(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.Readdirnames(-1)
}

func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
