package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// On cgroup version 1 a container sees its cgroup in each of a dozen hierarchies, which libcontainer makes with some
// twenty steps each: a fifth of all that its init does. Here the hierarchies are bound by two calls each, in the new
// container's mount namespace and before libcontainer's init, which then binds the whole. The folder is on the host and the
// same for all, but each container mounts there what the others do not see.

// viewList is the file beside a container's root with what is to be bound where.
const viewList = "cgroup"

// viewFlags are those of libcontainer's own mounts of cgroups.
const viewFlags = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// joined are the hierarchies in which libcontainer makes a cgroup for each container.
var joined = []string{
	"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "systemd",
}

// EnsureCgroupView makes the folder. Where containers have no use for it, libcontainer goes its own way: on version 2 with
// its one mount, on kernels without mount_setattr (Linux 5.12), beside hierarchies that are nobody's.
func (e *Engine) EnsureCgroupView() error {
	e.hierarchies = nil
	// A call that changes nothing succeeds wherever there is one that changes something.
	if cgroups.IsCgroup2UnifiedMode() || unix.MountSetattr(-1, "", 0, &unix.MountAttr{}) != nil {
		return nil
	}
	mounts, err := cgroups.GetCgroupMounts(false)
	if err != nil {
		return fmt.Errorf("cannot list cgroup hierarchies: %w", err)
	}
	var dirs []string
	for _, m := range mounts {
		if !slices.ContainsFunc(m.Subsystems, func(s string) bool { return slices.Contains(joined, s) }) {
			return nil
		}
		dirs = append(dirs, m.Mountpoint)
	}
	if err := os.MkdirAll(e.ViewDir, 0o700); err != nil {
		return fmt.Errorf("cannot make a mount point for cgroups: %w", err)
	}
	e.hierarchies = dirs
	return nil
}

// useView has the container's /sys/fs/cgroup made from the shared folder. Not that of a privileged container, which may
// write there, and not with ids of the pod's own, whose namespaces may not change the host's mounts.
func (e *Engine) useView(c *Config, spec *specs.Spec) error {
	i := slices.IndexFunc(spec.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" })
	if len(e.hierarchies) == 0 || i < 0 || isPrivileged(c) || c.Sandbox.Users != nil {
		return nil
	}
	list := e.ViewDir
	for _, dir := range e.hierarchies {
		list += "\n" + filepath.Base(dir) + " " + filepath.Join(dir, spec.Linux.CgroupsPath)
	}
	if err := atomicfile.Write(filepath.Join(e.MountDir, c.ID, viewList), []byte(list), 0o600); err != nil {
		return fmt.Errorf("cannot say where the cgroups of container %s are: %w", c.ID, err)
	}
	spec.Mounts[i] = specs.Mount{Destination: spec.Mounts[i].Destination, Type: "bind", Source: e.ViewDir, Options: []string{"rbind", "rprivate"}}
	return nil
}

// MountCgroupView is called by a container's init before libcontainer's, in the folder of its root.
func MountCgroupView() error {
	if os.Getenv("_LIBCONTAINER_INITTYPE") != "standard" {
		return nil // an exec, which is in the container's mounts already
	}
	list, err := os.ReadFile("../" + viewList)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read where the cgroups are: %w", err)
	}
	lines := strings.Split(string(list), "\n")
	return mountView(lines[0], lines[1:])
}

func mountView(view string, binds []string) error {
	// Nothing that is mounted here must show on the host.
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot keep mounts from the host: %w", err)
	}
	if err := unix.Mount("tmpfs", view, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("cannot mount %s: %w", view, err)
	}
	for _, bind := range binds {
		name, dir, _ := strings.Cut(bind, " ")
		if err := bindHierarchy(dir, view, name); err != nil {
			return fmt.Errorf("cannot bind cgroup %s: %w", dir, err)
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, view, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: viewFlags}); err != nil {
		return fmt.Errorf("cannot make cgroups read-only: %w", err)
	}
	return nil
}

// bindHierarchy: one of several controllers, as "cpu,cpuacct", is also found by the name of each.
func bindHierarchy(dir, view, name string) error {
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
