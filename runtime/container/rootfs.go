package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/runtime/container/spec"
)

// ensureFile makes an empty file. What stands in its place and is no file is set aside: nothing is kept in it.
func ensureFile(path string, mode os.FileMode) error {
	f, err := atomicfile.Open(path)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, os.ErrNotExist) {
		if damage := (*atomicfile.Damage)(nil); !errors.As(atomicfile.SetAside(path, err), &damage) || damage.Aside == "" {
			return err
		}
	}
	return atomicfile.Write(path, nil, mode)
}

// EnsureFileLayer makes a layer of one empty program, to mount another on it.
func EnsureFileLayer(dir, program string) error {
	return errors.Join(atomicfile.EnsureDir(dir, 0o755, nil, ""), ensureFile(filepath.Join(dir, program), 0o755))
}

// EnsureBaseLayer makes the layer of mount points. An image's own files of these names hide it.
func EnsureBaseLayer(dir string) error {
	var errs []error
	for _, sub := range []string{"proc", "sys", "dev", "etc"} {
		errs = append(errs, atomicfile.EnsureDir(filepath.Join(dir, sub), 0o755, nil, ""))
	}
	for _, name := range []string{"etc/hosts", "etc/hostname", "etc/resolv.conf"} {
		errs = append(errs, ensureFile(filepath.Join(dir, name), 0o644))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot make the layer of mount points: %w", err)
	}
	return nil
}

// rootPath is where a container's overlay is mounted, in a folder that is closed to strangers.
func (e *Engine) rootPath(id string) string { return filepath.Join(e.MountDir, id, "rootfs") }

// ensureRoot mounts the overlay of the image's layers and a writable layer of the container's own. The layers of a pod with
// ids of its own come mapped, the lowest being the mount points. label is the SELinux label of all files, "": their own.
func (e *Engine) ensureRoot(c *spec.Config, label string) (string, error) {
	id, layers, u := c.ID, c.Image.Layers, c.Sandbox.Users
	dir := filepath.Join(e.RootDir, id)
	merged := e.rootPath(id)
	if spec.NeverWritesRoot(c) {
		// Nothing comes into its layer but mount points: on flash they would cost more than fifty kilobytes.
		dir = filepath.Dir(merged)
	}
	for _, sub := range []string{filepath.Join(dir, "upper"), filepath.Join(dir, "work"), merged} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return "", fmt.Errorf("cannot make the root of container %s: %w", id, err)
		}
	}
	if err := CloseToOthers(filepath.Dir(merged), u); err != nil {
		return "", fmt.Errorf("cannot make the root of container %s: %w", id, err)
	}
	if mounted, err := isMountPoint(merged); err != nil || mounted {
		return merged, err
	}
	if u != nil {
		// What the container writes has the machine's ids; its root folder is its root's.
		if err := os.Lchown(filepath.Join(dir, "upper"), u.First, u.First); err != nil {
			return "", fmt.Errorf("cannot make the root of container %s: %w", id, err)
		}
	} else if e.BaseLayer != "" {
		layers = slices.Insert(slices.Clone(layers), 0, e.BaseLayer)
	}
	if label != "" { // the kernel looks at it behind the overlay when a program of it is executed
		if err := unix.Lsetxattr(filepath.Join(dir, "upper"), attrLabel, []byte(label+"\x00"), 0); err != nil {
			return "", fmt.Errorf("cannot label the root of container %s: %w", id, err)
		}
	}
	options := overlayOptions(dir, layers)
	// volatile: the writable layer never outlives its boot, so that syncing it at unmount would only wear
	// the flash. Linux 5.10.
	err := unix.Mount("overlay", merged, "overlay", 0, labelled(options+",volatile", label))
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("overlay", merged, "overlay", 0, labelled(options, label))
	}
	if err != nil && u != nil {
		return "", fmt.Errorf("cannot mount the root of container %s with the pod's own ids (Linux 5.19): %w", id, err)
	}
	if err != nil {
		return "", fmt.Errorf("cannot mount the root of container %s: %w", id, err)
	}
	return merged, nil
}

// Layers names the folders of the layers that the root of a container is made of, as far as the kernel tells: those that
// were mapped for the pod's own ids have other names.
func (e *Engine) Layers(id string) []string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	root := e.rootPath(id)
	for line := range strings.Lines(string(table)) {
		// man 5 proc_pid_mountinfo: the mount point is the fifth field, the options of the file system are the last.
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[4] != root {
			continue
		}
		_, options, _ := strings.Cut(fields[len(fields)-1], "lowerdir=")
		options, _, _ = strings.Cut(options, ",")
		var layers []string
		for dir := range strings.SplitSeq(options, ":") {
			if filepath.Base(filepath.Dir(dir)) == "l" { // of the image store
				layers = append(layers, filepath.Base(dir))
			}
		}
		return layers
	}
	return nil
}

// CloseToOthers keeps the board's users from what is in a folder of root's, as programs in a container that run as their owner,
// and lets the root of a pod with ids of its own pass: libcontainer looks up by path what it is to use. nil: a pod without.
func CloseToOthers(dir string, u *spec.Users) error {
	if u == nil {
		return os.Chmod(dir, 0o700)
	}
	return errors.Join(os.Chown(dir, 0, u.First), os.Chmod(dir, 0o710))
}

func overlayOptions(dir string, layers []string) string {
	lower := slices.Clone(layers)
	slices.Reverse(lower)
	return "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + filepath.Join(dir, "upper") + ",workdir=" + filepath.Join(dir, "work")
}

// isMountPoint compares the device with the parent's: an overlay always has one of its own.
func isMountPoint(path string) (bool, error) {
	var at, up unix.Stat_t
	if err := unix.Lstat(path, &at); err != nil {
		return false, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	if err := unix.Lstat(filepath.Dir(path), &up); err != nil {
		return false, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	return at.Dev != up.Dev, nil
}

// RemoveRoot takes away a container's root with all that it has written. What is gone already counts as removed.
func (e *Engine) RemoveRoot(id string) error {
	dir := filepath.Join(e.MountDir, id)
	for _, at := range []string{e.deviceNodes().nodesDir(id), e.rootPath(id), dir} { // an earlier podd had the overlay right there
		if err := unmountAll(at); err != nil {
			return fmt.Errorf("cannot unmount the root of container %s: %w", id, err)
		}
	}
	if err := errors.Join(e.RemoveTree(dir), e.RemoveTree(filepath.Join(e.RootDir, id))); err != nil {
		return fmt.Errorf("cannot remove the root of container %s: %w", id, err)
	}
	return nil
}

func unmountAll(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
