package volume

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// beneath follows the links of a volume as long as they stay in it. A container that shares the volume may exchange any
// part of the path at any time: CVE-2017-1002101, CVE-2021-25741. man 2 openat2
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS

// OpenSubPath opens a path of a volume as a handle to mount. With create, folders that are missing are made, with the
// mode of the volume's own.
func OpenSubPath(volume, sub string, create bool) (*os.File, error) {
	sub = path.Clean(sub)
	if path.IsAbs(sub) || sub == ".." || strings.HasPrefix(sub, "../") {
		return nil, fmt.Errorf("%w: subPath %q", ErrEscapes, sub)
	}
	root, err := unix.Open(volume, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the volume: %w", err)
	}
	defer closeFD(root)
	fd, err := openBeneath(root, sub)
	if errors.Is(err, unix.EXDEV) {
		fd, err = openAbsolute(root, volume, sub)
	}
	if errors.Is(err, unix.ENOENT) && create {
		fd, err = makeBeneath(root, sub)
	}
	switch {
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("%w: subPath %q is or contains a link to outside of it", ErrEscapes, sub)
	case err != nil:
		return nil, fmt.Errorf("cannot open subPath %q: %w", sub, err)
	}
	return os.NewFile(uintptr(fd), sub), nil
}

func openBeneath(root int, sub string) (int, error) { return openResolved(root, sub, beneath) }

func openResolved(root int, sub string, resolve uint64) (int, error) {
	const tries = 100 // EAGAIN: a rename came between, and a container may go on renaming
	var err error
	for range tries {
		var fd int
		fd, err = unix.Openat2(root, sub, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
	return -1, err
}

// ReadFile reads the first limit bytes of a regular file of a volume. The containers that have the volume may do as they like
// with the path: no link is followed in any part of it, and no FIFO, device or lease is waited for. man 2 openat2
func ReadFile(volume, path string, limit int64) ([]byte, error) {
	root, err := unix.Open(volume, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the volume: %w", err)
	}
	defer closeFD(root)
	// A handle first: a device may do something when it is opened.
	handle, err := openResolved(root, path, beneath|unix.RESOLVE_NO_SYMLINKS)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("file %q is or contains a link, which is not followed", path)
	case errors.Is(err, unix.EXDEV):
		return nil, fmt.Errorf("%w: file %q", ErrEscapes, path)
	case err != nil:
		return nil, fmt.Errorf("cannot open file %q: %w", path, err)
	}
	defer closeFD(handle)
	var st unix.Stat_t
	if err := unix.Fstat(handle, &st); err != nil {
		return nil, fmt.Errorf("cannot read file %q: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%q is not a regular file", path)
	}
	// man 5 proc, /proc/PID/fd. Without waiting: a container that has a lease on the file would keep podd for 45 s.
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", handle), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read file %q: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("cannot read file %q: %w", path, err)
	}
	return data, nil
}

// openAbsolute opens a path with links in it that are absolute and lead back into the volume. They are read as the host
// reads them, as the kubelet does; what they come to is then opened without any, so that a lie about it is of no use.
func openAbsolute(root int, volume, sub string) (int, error) {
	base, err := filepath.EvalSymlinks(volume)
	if err != nil {
		return -1, unix.EXDEV
	}
	target, err := filepath.EvalSymlinks(filepath.Join(base, sub))
	if err != nil {
		return -1, unix.EXDEV
	}
	inner, err := filepath.Rel(base, target)
	if err != nil || !filepath.IsLocal(inner) {
		return -1, unix.EXDEV
	}
	return openBeneath(root, inner)
}

// makeBeneath opens what there is of the path and makes the rest, each step from the handle of the one before.
func makeBeneath(root int, sub string) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(root, &st); err != nil {
		return -1, err
	}
	have, missing := sub, []string{}
	fd := -1
	for {
		missing = append([]string{path.Base(have)}, missing...)
		have = path.Dir(have)
		var err error
		if fd, err = openBeneath(root, have); err == nil {
			break
		} else if !errors.Is(err, unix.ENOENT) {
			return -1, err
		}
	}
	for _, name := range missing {
		next, err := makeStep(fd, name, st.Mode&0o7777)
		closeFD(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

func makeStep(parent int, name string, mode uint32) (int, error) {
	made := unix.Mkdirat(parent, name, mode&0o777)
	if made != nil && !errors.Is(made, unix.EEXIST) {
		return -1, made
	}
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) {
		err = unix.ELOOP // a link, and one to nowhere
	}
	if err == nil && made == nil {
		err = unix.Fchmod(fd, mode)
	}
	return fd, err
}

// Access is what a mount lets its users do.
type Access int

// The kinds of access: what the volume lets, reading alone, and reading alone also where something is mounted below.
const (
	AsItIs Access = iota
	ReadOnlyTop
	ReadOnlyAll
)

// OpenWhole opens all of a volume, a folder or a file, as a handle to mount.
func OpenWhole(volume string) (*os.File, error) {
	f, err := os.OpenFile(volume, unix.O_PATH, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the volume: %w", err)
	}
	return f, nil
}

// Bind mounts what a handle shows at target, which it makes as a file or as a folder: a path would be resolved anew.
func Bind(handle *os.File, target string, access Access) error {
	if err := errors.Join(Release(target), makeTarget(handle, target)); err != nil {
		return err
	}
	tree, err := unix.OpenTree(int(handle.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("cannot take hold of subPath %q: %w", handle.Name(), err)
	}
	defer closeFD(tree)
	if err := restrict(tree, access); err != nil {
		return fmt.Errorf("cannot make %q read-only: %w", handle.Name(), err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot mount subPath %q: %w", handle.Name(), err)
	}
	return nil
}

func restrict(tree int, access Access) error {
	flags := uint(unix.AT_EMPTY_PATH)
	switch access {
	case AsItIs:
		return nil
	case ReadOnlyAll:
		flags |= unix.AT_RECURSIVE
	case ReadOnlyTop:
	}
	return unix.MountSetattr(tree, "", flags, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

func makeTarget(handle *os.File, target string) error {
	info, err := handle.Stat()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(target), 0o700)
	}
	if err == nil && info.IsDir() {
		err = os.Mkdir(target, 0o700)
	} else if err == nil {
		err = os.WriteFile(target, nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot make a place for a subPath: %w", err)
	}
	return nil
}

// Release takes off what Bind has mounted: a container that runs has a mount of its own.
func Release(target string) error {
	err := detach(unix.AT_FDCWD, target)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot unmount %s: %w", target, err)
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s: %w", target, err)
	}
	return nil
}
