// Package cgroupview makes what a container sees of its cgroups on version 1. The daemon writes a list, and the container's
// init, which imports nothing else of podd's, mounts what is in it.
//
// On cgroup version 1 a container sees its cgroup in each of a dozen hierarchies, which libcontainer makes with some
// twenty steps each: a fifth of all that its init does. Here the hierarchies are bound by two calls each, in the new
// container's mount namespace and before libcontainer's init, which then binds the whole. The folder is on the host and the
// same for all, but each container mounts there what the others do not see.
package cgroupview

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// File is the one beside a container's root with what is to be bound where.
const File = "cgroup"

// flags are those of libcontainer's own mounts of cgroups.
const flags = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// List is what File says: the folder that is mounted on, then a line for each hierarchy with its name there and the container's
// cgroup, whose path in all of them is given.
func List(view string, hierarchies []string, cgroup string) []byte {
	list := view
	for _, dir := range hierarchies {
		list += "\n" + filepath.Base(dir) + " " + filepath.Join(dir, cgroup)
	}
	return []byte(list)
}

// Mount is called by a container's init before libcontainer's, in the folder of its root.
func Mount() error {
	if os.Getenv("_LIBCONTAINER_INITTYPE") != "standard" {
		return nil // an exec, which is in the container's mounts already
	}
	list, err := os.ReadFile("../" + File)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read where the cgroups are: %w", err)
	}
	lines := strings.Split(string(list), "\n")
	return mount(lines[0], lines[1:])
}

func mount(view string, binds []string) error {
	// Nothing that is mounted here must show on the host.
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot keep mounts from the host: %w", err)
	}
	if err := unix.Mount("tmpfs", view, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount %s: %w", view, err)
	}
	for _, b := range binds {
		name, dir, _ := strings.Cut(b, " ")
		if err := bind(dir, view, name); err != nil {
			return fmt.Errorf("cannot bind cgroup %s: %w", dir, err)
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, view, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: flags}); err != nil {
		return fmt.Errorf("cannot make cgroups read-only: %w", err)
	}
	return nil
}

// bind: one of several controllers, as "cpu,cpuacct", is also found by the name of each.
func bind(dir, view, name string) error {
	place := filepath.Join(view, name)
	if err := os.Mkdir(place, 0o755); err != nil {
		return err
	}
	controllers := strings.Split(name, ",")
	for _, c := range controllers {
		if len(controllers) > 1 {
			if err := os.Symlink(name, filepath.Join(view, c)); err != nil {
				return err
			}
		}
	}
	return unix.Mount(dir, place, "", unix.MS_BIND, "")
}
