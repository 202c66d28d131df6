package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/runtime/container/cgroupview"
	"podd/runtime/container/devview"
	"podd/runtime/container/spec"
)

// joined are the hierarchies in which libcontainer makes a cgroup for each container.
var joined = []string{
	"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "systemd",
}

// Views are folders of the machine in which each container's init mounts what libcontainer would make at greater expense
// (packages cgroupview and devview). "" leaves it to libcontainer.
type Views struct {
	Cgroups string // of version 1
	Dev     string
	// hierarchies is where those of version 1 are mounted, if containers' are gathered.
	hierarchies []string
}

// Ensure makes the folders.
func (v *Views) Ensure() error {
	return errors.Join(v.ensureCgroups(), ensureView(v.Dev, "devices"))
}

// ensureView: the init of a pod with ids of its own is nobody to the machine, and reaches it as all others may. One that is
// there may be of a podd that kept it to root.
func ensureView(dir, of string) error {
	err := os.MkdirAll(dir, 0o711)
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		return fmt.Errorf("cannot make a mount point for %s: %w", of, err)
	}
	return nil
}

// ensureCgroups makes the folder. Where containers have no use for it, libcontainer goes its own way: on version 2 with
// its one mount, on kernels without mount_setattr (Linux 5.12), beside hierarchies that are nobody's.
func (v *Views) ensureCgroups() error {
	v.hierarchies = nil
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
	v.hierarchies = dirs
	return ensureView(v.Cgroups, "cgroups")
}

// useCgroups has the container's /sys/fs/cgroup made from the shared folder. Not that of a privileged container, which may
// write there. dir is the one beside its root.
func (v *Views) useCgroups(dir string, c *spec.Config, ociSpec *specs.Spec) error {
	i := slices.IndexFunc(ociSpec.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" })
	if len(v.hierarchies) == 0 || i < 0 || spec.IsPrivileged(c) {
		return nil
	}
	list := cgroupview.List(v.Cgroups, v.hierarchies, ociSpec.Linux.CgroupsPath)
	if err := atomicfile.Write(filepath.Join(dir, cgroupview.File), list, 0o644); err != nil {
		return fmt.Errorf("cannot say where the cgroups of container %s are: %w", c.ID, err)
	}
	ociSpec.Mounts[i] = bindView(v.Cgroups, ociSpec.Mounts[i].Destination)
	return nil
}

func bindView(dir, destination string) specs.Mount {
	return specs.Mount{Destination: destination, Type: "bind", Source: dir, Options: []string{"rbind", "rprivate"}}
}

// useDev has the container's /dev made in the shared folder. libcontainer makes it where it is to be otherwise than every
// container's, where it gets SELinux's label, and without a seccomp filter: with the filter comes the moment at which the
// standard streams can become the container's.
func (v *Views) useDev(dir string, c *spec.Config, ociSpec *specs.Spec) error {
	if v.Dev == "" || len(ociSpec.Linux.Devices) > 0 {
		return nil
	}
	system := spec.DevMounts()
	first := slices.IndexFunc(ociSpec.Mounts, func(m specs.Mount) bool { return m.Destination == system[0].Destination })
	if first < 0 || len(ociSpec.Mounts) < first+len(system) || !reflect.DeepEqual(ociSpec.Mounts[first:first+len(system)], system) {
		return nil
	}
	if err := atomicfile.Write(filepath.Join(dir, devview.File), []byte(v.Dev), 0o644); err != nil {
		return fmt.Errorf("cannot say where the devices of container %s are: %w", c.ID, err)
	}
	ociSpec.Mounts = slices.Replace(ociSpec.Mounts, first, first+len(system), bindView(v.Dev, system[0].Destination))
	return nil
}
