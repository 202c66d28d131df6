package spec

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/moby/sys/mountinfo"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// systemMounts are those every container gets, in the order in which they are made.
func systemMounts(c *Config, privileged bool) []specs.Mount {
	sys := []string{"nosuid", "noexec", "nodev"}
	cgroup := []string{"nosuid", "noexec", "nodev", "relatime"}
	if !privileged {
		sys, cgroup = append(sys, "ro"), append(cgroup, "ro")
	}
	mounts := []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}}}
	mounts = append(mounts, DevMounts()...)
	mounts = append(mounts, []specs.Mount{
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: sys},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: cgroup},
	}...)
	return append(overridden(mounts, c.Mounts), placed(c)...)
}

// DevMounts are the mounts of /dev that every container gets. Package devview makes the same; a test compares. Programs do not
// run there, as with podman.
func DevMounts() []specs.Mount {
	return []specs.Mount{
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
	}
}

// fileMounts lays the sandbox's files over those of the image.
func fileMounts(c *Config) []specs.Mount {
	readonly := readonlyRoot(c)
	var mounts []specs.Mount
	add := func(source, destination string, ro bool) {
		if source != "" {
			mounts = append(mounts, bind(source, destination, ro))
		}
	}
	add(c.Sandbox.ShmDir, "/dev/shm", false)
	add(c.Sandbox.HostsFile, "/etc/hosts", readonly)
	add(c.Sandbox.HostnameFile, "/etc/hostname", readonly)
	add(c.Sandbox.ResolvFile, "/etc/resolv.conf", readonly)
	add(c.TerminationLog, c.Container.TerminationMessagePath, false)
	for _, destination := range slices.Sorted(maps.Keys(c.Files)) {
		add(c.Files[destination], destination, true)
	}
	return mounts
}

func bind(source, destination string, readonly bool) specs.Mount {
	options := []string{"rbind", "rprivate"}
	if readonly {
		options = append(options, "ro")
	}
	return specs.Mount{Destination: destination, Type: "bind", Source: source, Options: options}
}

// maskedPaths hide what a container could learn about the host or do to it: containerd's list, podman's /sys/dev/block, and what tells the
// heat of processors apart, as with Docker (GHSA-6fw5-f8r9-fgfm).
func maskedPaths() []string {
	return append([]string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/proc/scsi", "/sys/dev/block", "/sys/devices/virtual/powercap", "/sys/firmware",
	}, thermalThrottles()...)
}

// thermalThrottles are there on x86. They are listed once, as processors are not plugged into edge boards.
var thermalThrottles = sync.OnceValue(func() []string {
	paths, _ := filepath.Glob("/sys/devices/system/cpu/cpu*/thermal_throttle") // the pattern is a good one
	return paths
})

func readonlyPaths() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}

// rootPropagation is that of the container's root: a mount that takes part in the host's needs a root that does.
func rootPropagation(mounts []Mount) string {
	out := ""
	for i := range mounts {
		switch mounts[i].Propagation {
		case corev1.MountPropagationBidirectional:
			return "rshared"
		case corev1.MountPropagationHostToContainer:
			out = "rslave"
		case corev1.MountPropagationNone:
		}
	}
	return out
}

// CheckPropagation says what the kernel would not: that nothing would come through. The words are containerd's.
func CheckPropagation(mounts []Mount) error {
	for i := range mounts {
		m := &mounts[i]
		if m.Propagation != corev1.MountPropagationBidirectional && m.Propagation != corev1.MountPropagationHostToContainer {
			continue
		}
		source, err := filepath.EvalSymlinks(m.Source)
		if err != nil {
			return fmt.Errorf("cannot find a volume: %w", err)
		}
		point, fields, err := mountOf(source)
		if err != nil {
			return err
		}
		shared, slave := strings.Contains(fields, "shared:"), strings.Contains(fields, "master:")
		switch {
		case m.Propagation == corev1.MountPropagationBidirectional && !shared:
			return fmt.Errorf("path %q is mounted on %q but it is not a shared mount", m.Source, point)
		case !shared && !slave:
			return fmt.Errorf("path %q is mounted on %q but it is not a shared or slave mount", m.Source, point)
		}
	}
	return nil
}

// mountOf finds the mount that a path is on and its optional fields. man 5 proc_pid_mountinfo
func mountOf(path string) (point, optional string, err error) {
	table, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return m.Mountpoint != "/" && m.Mountpoint != path && !strings.HasPrefix(path, m.Mountpoint+"/"), false
	})
	if err != nil {
		return "", "", fmt.Errorf("cannot read the table of mounts: %w", err)
	}
	for _, m := range table {
		// Of several on one place, the last is on top.
		if len(m.Mountpoint) >= len(point) {
			point, optional = m.Mountpoint, m.Optional
		}
	}
	return point, optional, nil
}

// Mount is a part of a volume at its place in the container.
type Mount struct {
	Source      string // on the host
	Destination string
	ReadOnly    bool
	Recursive   bool     // what is mounted below is read-only too
	Options     []string // noexec, nodev, nosuid
	Propagation corev1.MountPropagationMode
	// Mapped: what the volume's files say is an id of the pod's own user namespace.
	Mapped bool
}

func (m *Mount) spec() specs.Mount {
	options := []string{"rbind", "rprivate"}
	switch m.Propagation {
	case corev1.MountPropagationHostToContainer:
		options[1] = "rslave"
	case corev1.MountPropagationBidirectional:
		options[1] = "rshared"
	case corev1.MountPropagationNone:
	}
	switch {
	case m.ReadOnly && m.Recursive:
		options = append(options, "rro")
	case m.ReadOnly:
		options = append(options, "ro")
	}
	if m.Mapped {
		options = append(options, "idmap") // as the container's user namespace has it; what is mounted below is not
	}
	return specs.Mount{Destination: place(m.Destination), Type: "bind", Source: m.Source, Options: append(options, m.Options...)}
}

// place is a mountPath as the kubelet takes it: from the container's root, whatever it says.
func place(destination string) string { return path.Join("/", destination) }

// overridden leaves out the mounts of every container that its volumes replace: those at the same place, and those in
// /dev if that is replaced.
func overridden(mounts []specs.Mount, volumes []Mount) []specs.Mount {
	return slices.DeleteFunc(mounts, func(m specs.Mount) bool {
		return slices.ContainsFunc(volumes, func(v Mount) bool {
			at := place(v.Destination)
			return at == m.Destination || at == "/dev" && strings.HasPrefix(m.Destination, "/dev/")
		})
	})
}

// placed are the sandbox's files and the volumes, those that hold others' places first.
func placed(c *Config) []specs.Mount {
	mounts := overridden(fileMounts(c), c.Mounts)
	for i := range c.Mounts {
		mounts = append(mounts, c.Mounts[i].spec())
	}
	sort.SliceStable(mounts, func(i, j int) bool { return depth(mounts[i].Destination) < depth(mounts[j].Destination) })
	return mounts
}

func depth(destination string) int { return strings.Count(place(destination), "/") }

// ExpandSubPath replaces the references of a subPathExpr by the container's variables. One that is not there or is empty is
// an error in the kubelet's words: the mount would show more of the volume than was meant. Source: kubernetes,
// pkg/kubelet/container, ExpandContainerVolumeMounts.
func (c *Config) ExpandSubPath(expr string) (string, error) {
	declared := declaredEnv(c)
	var missing []string
	out := Expand(expr, func(name string) (string, bool) {
		value, _ := declared.lookup(name)
		if value == "" && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return value, true
	})
	if len(missing) > 0 {
		slices.Sort(missing)
		return "", fmt.Errorf("missing value for %s", strings.Join(missing, ", "))
	}
	return out, nil
}

// CanReadOnlyRecursively says whether the kernel makes mounts read-only with all that is below them. man 2 mount_setattr
var CanReadOnlyRecursively = sync.OnceValue(func() bool { // Linux 5.12
	return !errors.Is(unix.MountSetattr(-1, "", 0, &unix.MountAttr{}), unix.ENOSYS)
})

// Mounts says whether a container mounts a volume.
func Mounts(c *corev1.Container, volume string) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == volume })
}
