package lab

import (
	"bufio"
	"bytes"
	"os"
	"strings"
)

// readHierarchies maps the controllers of each mounted hierarchy ("memory", "cpu,cpuacct", "name=systemd"; "" is version
// 2) to where it is mounted.
func readHierarchies() (map[string]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseCgroupMounts(info), nil
}

// parseCgroupMounts reads man 5 proc's mountinfo.
func parseCgroupMounts(mountinfo []byte) map[string]string {
	mounts := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(mountinfo)); s.Scan(); {
		before, after, ok := strings.Cut(s.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		switch right[0] {
		case "cgroup2":
			mounts[""] = left[4]
		case "cgroup":
			mounts[controllersOf(right[2])] = left[4]
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
