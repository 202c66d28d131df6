// Package hostfile reads the files that an operator gives podd: manifests, archives, a configuration. They may be links,
// and whatever they lead to, reading ends: only regular files are read, never more than a limit, and a file system that
// does not answer keeps one goroutine and not its caller.
package hostfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotRegular says that a pipe, a socket, a device, a folder or a file of the kernel's own stands in the place of a
	// file.
	ErrNotRegular = errors.New("put a regular file in its place")
	// ErrTooLarge says that a file is larger than its reader takes, or grew while it was read.
	ErrTooLarge = errors.New("it is too large")
)

// Open opens a regular file for reading, whatever links lead to it. It looks before it opens, for to open some devices
// does something, waits neither for the other end of a pipe nor for the end of a lease, and refuses the files of procfs
// and its kin: some of those are never at their end, and to read them takes from others.
func Open(path string) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := checkRegular(&st); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	err = unix.Fstat(fd, &st) // it may be another one by now
	if err == nil {
		err = checkRegular(&st)
	}
	if err == nil {
		err = checkFileSystem(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Read reads a regular file of at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := ReadAll(f, info.Size(), limit)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}

// ReadAll reads from r, which is thought to have size bytes, at most limit.
func ReadAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, ErrTooLarge
	}
	data := make([]byte, 0, size+512)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, ErrTooLarge
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

func checkRegular(st *unix.Stat_t) error {
	kind := "no regular file"
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFIFO:
		kind = "a named pipe"
	case unix.S_IFSOCK:
		kind = "a socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		kind = "a device"
	case unix.S_IFDIR:
		kind = "a folder"
	}
	return fmt.Errorf("it is %s; %w", kind, ErrNotRegular)
}

// checkFileSystem refuses what the kernel makes up: /proc/kmsg and trace_pipe are regular files by their mode.
func checkFileSystem(fd int) error {
	var st unix.Statfs_t
	for {
		err := unix.Fstatfs(fd, &st)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	switch uint32(st.Type) { // its width differs between processors
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.CGROUP_SUPER_MAGIC,
		unix.CGROUP2_SUPER_MAGIC, unix.BPF_FS_MAGIC, unix.SELINUX_MAGIC, unix.NSFS_MAGIC, unix.BINFMTFS_MAGIC, configfs, mqueue, fusectl:
		return fmt.Errorf("it is a file of the kernel's own; %w", ErrNotRegular)
	}
	return nil
}

// Magic numbers that x/sys lacks: linux/fs/configfs/mount.c, ipc/mqueue.c, fs/fuse/control.c.
const (
	configfs = 0x62656570
	mqueue   = 0x19800202
	fusectl  = 0x65735543
)
