package container

import (
	"maps"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// systemMounts are those every container gets, in the order in which they are made.
func systemMounts(c *Config, privileged bool) []specs.Mount {
	sys := []string{"nosuid", "noexec", "nodev"}
	cgroup := []string{"nosuid", "noexec", "nodev", "relatime"}
	if !privileged {
		sys, cgroup = append(sys, "ro"), append(cgroup, "ro")
	}
	mounts := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: sys},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: cgroup},
	}
	if c.Pod.Spec.HostNetwork {
		// The kernel gives sysfs only to the owner of the network namespace's user namespace; the host's is shown as it is.
		mounts[4] = specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: append(sys, "rbind")}
	}
	return append(overridden(mounts, c.Mounts), placed(c)...)
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

// maskedPaths hide what a container could learn about the host or do to it; the list is that of containerd, with podman's /sys/dev/block.
func maskedPaths() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/proc/scsi", "/sys/dev/block", "/sys/devices/virtual/powercap", "/sys/firmware",
	}
}

func readonlyPaths() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}
