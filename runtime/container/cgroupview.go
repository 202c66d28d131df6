package container

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/runtime/container/cgroupview"
	"podd/runtime/container/spec"
)

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
	if err := os.MkdirAll(e.ViewDir, 0o711); err != nil {
		return fmt.Errorf("cannot make a mount point for cgroups: %w", err)
	}
	// One that is there may be of a podd that kept it to root.
	if err := os.Chmod(e.ViewDir, 0o711); err != nil {
		return fmt.Errorf("cannot make the mount point for cgroups reachable: %w", err)
	}
	e.hierarchies = dirs
	return nil
}

// useView has the container's /sys/fs/cgroup made from the shared folder. Not that of a privileged container, which may
// write there. The init of a pod with ids of its own is nobody to the machine: it reads the list and reaches the folder as
// all others may.
func (e *Engine) useView(c *spec.Config, ociSpec *specs.Spec) error {
	i := slices.IndexFunc(ociSpec.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" })
	if len(e.hierarchies) == 0 || i < 0 || spec.IsPrivileged(c) {
		return nil
	}
	list := cgroupview.List(e.ViewDir, e.hierarchies, ociSpec.Linux.CgroupsPath)
	if err := atomicfile.Write(filepath.Join(e.MountDir, c.ID, cgroupview.File), list, 0o644); err != nil {
		return fmt.Errorf("cannot say where the cgroups of container %s are: %w", c.ID, err)
	}
	ociSpec.Mounts[i] = specs.Mount{Destination: ociSpec.Mounts[i].Destination, Type: "bind", Source: e.ViewDir, Options: []string{"rbind", "rprivate"}}
	return nil
}
