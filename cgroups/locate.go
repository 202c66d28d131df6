package cgroups

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// leaf is where the daemon lives below its delegated cgroup on version 2. A unit with
// DelegateSubgroup=podd (systemd 254) starts there.
const leaf = "podd"

// locate fills in the hierarchies of version 1 and the parent, and returns the daemon's own cgroup.
func (t *Tree) locate(o Options) (own string, err error) {
	membership, err := os.ReadFile(filepath.Join(o.ProcSelf, "cgroup"))
	if err != nil {
		return "", fmt.Errorf("cannot read own cgroup: %w", err)
	}
	member := parseMembership(string(membership))
	home := o.Root // of the hierarchy that systemd keeps its units in
	if t.version == 2 {
		own = member[""]
		t.ownDir = filepath.Join(o.Root, own)
	} else {
		mounts, err := readMounts(o.ProcSelf)
		if err != nil {
			return "", err
		}
		var systemd cgroupMount
		t.hierarchies, systemd = v1Hierarchies(o.Root, mounts)
		home, own = systemd.dir, below(systemd.root, member["name=systemd"])
		t.ownDir = homeDir(o.Root, mounts, member)
	}
	if len(t.hierarchies) == 0 {
		return "", fmt.Errorf("cannot use %s: %w", o.Root, ErrNoCgroups)
	}
	lent := func(cgroup string) bool {
		return home != "" && cgroup != "" && cgroup != "/" && !strings.HasPrefix(cgroup, "/..") && delegated(filepath.Join(home, cgroup))
	}
	t.parent = chooseParent(o, own, lent)
	t.lent = lent(t.parent)
	return own, nil
}

// chooseParent: a cgroup that is not delegated, such as a login session's or that of a unit
// without Delegate=, belongs to its manager and may go at any time.
func chooseParent(o Options, own string, lent func(string) bool) string {
	if o.Parent != "" {
		return path.Join("/", o.Parent)
	}
	if path.Base(own) == leaf {
		own = path.Dir(own)
	}
	for _, cgroup := range []string{o.Unit, own} {
		if lent(cgroup) {
			return cgroup
		}
	}
	return "/"
}

// delegated looks at the mark that systemd puts on the cgroups of units with Delegate=
// (systemd.io/CGROUP_DELEGATION).
func delegated(dir string) bool {
	var b [8]byte
	for _, attr := range []string{"trusted.delegate", "user.delegate"} {
		if n, err := unix.Getxattr(dir, attr, b[:]); err == nil && string(b[:n]) == "1" {
			return true
		}
	}
	return false
}

// parseMembership reads /proc/PID/cgroup: "hierarchy:controllers:path" (man 7 cgroups). The key
// of version 2 is "".
func parseMembership(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		_, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		names, cgroup, ok2 := strings.Cut(rest, ":")
		if !ok || !ok2 {
			continue
		}
		for name := range strings.SplitSeq(names, ",") {
			m[name] = cgroup
		}
	}
	return m
}

// cgroupMount is a mounted cgroup file system.
type cgroupMount struct {
	root  string // the cgroup that is mounted, "/" unless in a container
	dir   string
	names []string
	v2    bool
	// options are version 2's own.
	options []string
}

// readMounts lists the cgroup file systems of procSelf's mountinfo.
func readMounts(procSelf string) ([]cgroupMount, error) {
	table, err := os.Open(filepath.Join(procSelf, "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("cannot read mounts: %w", err)
	}
	defer table.Close()
	return cgroupMounts(table)
}

func cgroupMounts(table io.Reader) ([]cgroupMount, error) {
	infos, err := mountinfo.GetMountsFromReader(table, mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("cannot read mounts: %w", err)
	}
	mounts := make([]cgroupMount, 0, len(infos))
	for _, i := range infos {
		m := cgroupMount{root: i.Root, dir: i.Mountpoint, v2: i.FSType == "cgroup2"}
		for name := range strings.SplitSeq(i.VFSOptions, ",") {
			switch {
			case m.v2 && name != "rw" && name != "ro":
				m.options = append(m.options, name)
			case !m.v2 && isHierarchyName(name):
				m.names = append(m.names, name)
			}
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// isHierarchyName tells controllers and names from the mount options among them.
func isHierarchyName(option string) bool {
	if strings.HasPrefix(option, "name=") {
		return true
	}
	switch option {
	case "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb",
		"net_cls", "net_prio", "perf_event", "rdma", "misc":
		return true
	}
	return false
}

// v1Hierarchies keeps what is mounted right below root, each once. A version 2 mount there must
// be called unified, which is the one that libcontainer puts containers into.
func v1Hierarchies(root string, mounts []cgroupMount) (hs []hierarchy, systemd cgroupMount) {
	for _, m := range mounts {
		known := slices.ContainsFunc(hs, func(h hierarchy) bool { return h.dir == m.dir })
		if filepath.Dir(m.dir) != root || known || (m.v2 && filepath.Base(m.dir) != "unified") {
			continue
		}
		if !m.v2 && len(m.names) == 0 {
			continue
		}
		hs = append(hs, hierarchy{dir: m.dir, names: m.names, v2: m.v2})
		if slices.Contains(m.names, "name=systemd") {
			systemd = m
		}
	}
	return hs, systemd
}

// homeDir is the daemon's own cgroup in any hierarchy in which it can be seen.
func homeDir(root string, mounts []cgroupMount, member map[string]string) string {
	for _, m := range mounts {
		if m.v2 || filepath.Dir(m.dir) != root || len(m.names) == 0 {
			continue
		}
		if cgroup := below(m.root, member[m.names[0]]); cgroup != "" {
			return filepath.Join(m.dir, cgroup)
		}
	}
	return ""
}

// below makes a path of /proc/PID/cgroup relative to the cgroup that is mounted.
func below(root, cgroup string) string {
	if root == "" || root == "/" {
		return cgroup
	}
	if rest, ok := strings.CutPrefix(cgroup, root); ok && (rest == "" || rest[0] == '/') {
		return path.Join("/", rest)
	}
	return ""
}
