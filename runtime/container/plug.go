package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"podd/runtime/container/process"
	"podd/runtime/container/spec"
	"podd/runtime/device"
)

func encodeJSON(v any) ([]byte, error) { return json.Marshal(v) }

// plugging puts the node of a device at a place in a running container, or, without one, takes it away from there.
type plugging struct {
	place  string
	source string // of the node on the host
	// node is one that has no place on the host's side yet: it is made in scratch.
	node    *device.Node
	scratch string
}

// plug carries pluggings out in the mount namespace of a container.
func plug(pid int, pidfd *os.File, users *spec.Users, list []plugging) error {
	if len(list) == 0 {
		return nil
	}
	trees := make([]int, len(list))
	defer func() {
		for _, fd := range trees {
			if fd > 0 {
				_ = unix.Close(fd)
			}
		}
	}()
	for i := range list {
		if err := list[i].makeScratch(users); err != nil {
			return err
		}
		if list[i].source == "" {
			continue
		}
		// It is not mounted anywhere yet, and goes wherever it is put.
		fd, err := unix.OpenTree(unix.AT_FDCWD, list[i].source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return fmt.Errorf("cannot take the node of a device: %w", err)
		}
		trees[i] = fd
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return ignoreEnded(pidfd, fmt.Errorf("cannot open the mount namespace of a container: %w", err))
	}
	defer closeFile(ns)
	if alive, err := process.Alive(int(pidfd.Fd())); !alive || err != nil { // else the number is still its
		return err
	}
	return inMounts(int(ns.Fd()), func() error {
		if users != nil {
			// The container's /dev knows only the pod's ids, and what is made there is to be its root's. They are this thread's.
			if err := errors.Join(unix.Setfsgid(users.First), unix.Setfsuid(users.First)); err != nil {
				return fmt.Errorf("cannot take the ids of a pod: %w", err)
			}
		}
		var errs []error
		for i := range list {
			errs = append(errs, list[i].put(trees[i]))
		}
		return errors.Join(errs...)
	})
}

func ignoreEnded(pidfd *os.File, err error) error {
	if alive, _ := process.Alive(int(pidfd.Fd())); !alive {
		return nil
	}
	return err
}

// makeScratch makes the node of a device that a link leads to.
func (p *plugging) makeScratch(users *spec.Users) error {
	if p.node == nil {
		return nil
	}
	if err := os.MkdirAll(p.scratch, 0o700); err != nil {
		return fmt.Errorf("cannot make a device node: %w", err)
	}
	root, err := os.OpenRoot(p.scratch)
	if err != nil {
		return fmt.Errorf("cannot make a device node: %w", err)
	}
	defer func() { _ = root.Close() }()
	name := strings.ReplaceAll(strings.TrimPrefix(p.place, "/"), "/", "_")
	if err := putNode(root, name, *p.node, nil, users); err != nil {
		return err
	}
	p.source = filepath.Join(p.scratch, name)
	return nil
}

// inMounts runs fn on a thread of its own that has gone into a mount namespace, and ends with it. Its root is the namespace's.
func inMounts(ns int, fn func() error) error {
	end := make(chan error, 1)
	var begin func()
	begin = func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread is the one that /proc/self is about, and it never ends: another one is to go.
			go begin()
			runtime.UnlockOSThread()
			return
		}
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Setns(ns, unix.CLONE_NEWNS)
		}
		if err != nil {
			end <- fmt.Errorf("cannot enter the mount namespace of a container: %w", err)
			return
		}
		end <- fn()
	}
	go begin()
	return <-end
}

// put runs within the container's mounts: all paths are the container's.
func (p *plugging) put(tree int) error {
	for unix.Unmount(p.place, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil { // what was there before
	}
	if tree == 0 {
		// The empty file on which it was mounted would be taken for a device that says nothing.
		if device.Within(p.place) {
			var st unix.Stat_t
			if unix.Lstat(p.place, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == 0 {
				_ = unix.Unlink(p.place)
			}
		}
		return nil
	}
	if err := os.MkdirAll(path.Dir(p.place), 0o755); err != nil {
		return fmt.Errorf("cannot make a place for a device: %w", err)
	}
	fd, err := unix.Open(p.place, unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_PATH, 0o644)
	if errors.Is(err, unix.ENOENT) {
		fd, err = unix.Open(p.place, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot make a place for a device: %w", &os.PathError{Op: "open", Path: p.place, Err: err})
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.MoveMount(tree, "", fd, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("cannot put a device at %s in a container: %w", p.place, err)
	}
	return nil
}
