package lab

import (
	"strings"

	"github.com/moby/sys/mountinfo"
)

// readHierarchies maps the controllers of each mounted hierarchy ("memory", "cpu,cpuacct", "name=systemd"; "" is version
// 2) to where it is mounted.
func readHierarchies() (map[string]string, error) {
	list, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, err
	}
	mounts := map[string]string{}
	for _, m := range list {
		name := ""
		if m.FSType == "cgroup" {
			name = controllersOf(m.VFSOptions)
		}
		mounts[name] = m.Mountpoint
	}
	return mounts, nil
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
