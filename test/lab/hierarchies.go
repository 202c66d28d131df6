package lab

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// hierarchy is one cgroup hierarchy as this process sees it.
type hierarchy struct {
	controllers string // "memory", "cpu,cpuacct", "name=systemd"; "" is version 2
	mount       string // where it is mounted
	own         string // folder of the cgroup that this process is in
}

// readHierarchies lists the mounted hierarchies (man 7 cgroups, "/proc files"; man 5 proc, mountinfo).
func readHierarchies() ([]hierarchy, error) {
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	mounts := parseCgroupMounts(info)
	var list []hierarchy
	for line := range strings.Lines(string(self)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		m, ok := mounts[part[1]]
		if !ok {
			continue
		}
		rel, err := filepath.Rel(m.root, part[2])
		if err != nil || strings.HasPrefix(rel, "..") {
			rel = "."
		}
		list = append(list, hierarchy{controllers: part[1], mount: m.point, own: filepath.Join(m.point, rel)})
	}
	return list, nil
}

type cgroupMount struct{ root, point string }

// parseCgroupMounts maps the controllers of each hierarchy, as /proc/self/cgroup spells them, to its mount.
func parseCgroupMounts(mountinfo []byte) map[string]cgroupMount {
	mounts := map[string]cgroupMount{}
	for s := bufio.NewScanner(bytes.NewReader(mountinfo)); s.Scan(); {
		before, after, ok := strings.Cut(s.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		m := cgroupMount{root: left[3], point: left[4]}
		switch right[0] {
		case "cgroup2":
			mounts[""] = m
		case "cgroup":
			mounts[controllersOf(right[2])] = m
		}
	}
	return mounts
}

func controllersOf(superOptions string) string {
	var names []string
	for option := range strings.SplitSeq(superOptions, ",") {
		switch option {
		case "rw", "ro", "xattr", "clone_children", "noprefix", "cpuset_v2_mode", "favordynmods":
		default:
			if !strings.HasPrefix(option, "release_agent=") {
				names = append(names, option)
			}
		}
	}
	return strings.Join(names, ",")
}
