package board

import (
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// controllers checks the cgroup controllers that limits need.
func controllers(m *Machine) []Finding {
	version, have := m.controllers()
	if version == "" {
		return one("cgroups", Fail, "no cgroup file system is mounted below /sys/fs/cgroup", "mount it: systemd does; without systemd, install cgroupfs-mount or mount -t cgroup2 none /sys/fs/cgroup")
	}
	list := one("cgroups", OK, version+" with "+strings.Join(have, ", "), "")
	for _, c := range []struct{ name, without string }{
		{"memory", "memory limits cannot be kept, pods that have one do not start, and a container that is killed for want of memory cannot be told from one that was killed"},
		{"cpu", "cpu limits cannot be kept, and pods that have one do not start"},
		{"pids", "one pod can use up all processes of the board"},
	} {
		if slices.Contains(have, c.name) {
			continue
		}
		verdict := Fail
		if c.name == "pids" {
			verdict = Warn
		}
		list = append(list, Finding{"cgroup " + c.name, verdict, "the " + c.name + " controller is off: " + c.without, m.enableController(c.name)})
	}
	return list
}

// enableController says how a controller comes back. On a Raspberry Pi the firmware turns memory off unless it is
// asked for; elsewhere somebody has.
func (m *Machine) enableController(name string) string {
	options := strings.Fields(m.read("/proc/cmdline"))
	off := "cgroup_disable=" + name
	switch {
	case name == "memory" && strings.Contains(m.Model(), "Raspberry Pi"):
		return m.commandLine("cgroup_enable=memory cgroup_memory=1", "")
	case slices.Contains(options, off):
		return m.commandLine("", off)
	case m.exists("/sys/fs/cgroup/cgroup.subtree_control"):
		return "if it is not in /sys/fs/cgroup/cgroup.controllers, the kernel was built without it: install another one; if it is, a manager of cgroups keeps it from podd: run podd as a unit with Delegate=yes"
	}
	return "the kernel was built without it: install another one"
}

// controllers says which version there is and which controllers are on.
func (m *Machine) controllers() (version string, have []string) {
	if m.exists("/sys/fs/cgroup/cgroup.controllers") {
		return "version 2", strings.Fields(m.read("/sys/fs/cgroup/cgroup.controllers"))
	}
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(m.read("/proc/self/mountinfo")), mountinfo.FSTypeFilter("cgroup"))
	if err != nil {
		return "", nil
	}
	for _, mount := range mounts {
		if !strings.HasPrefix(mount.Mountpoint, "/sys/fs/cgroup/") {
			continue
		}
		for option := range strings.SplitSeq(mount.VFSOptions, ",") {
			if option != "rw" && !strings.HasPrefix(option, "name=") && !slices.Contains(have, option) {
				have = append(have, option)
			}
		}
	}
	if len(have) == 0 {
		return "", nil
	}
	slices.Sort(have)
	return "version 1", have
}
