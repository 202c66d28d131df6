package lab

import (
	"fmt"
	"slices"
	"strings"
)

// cgroupVar carries a Cgroup into the re-executed program.
const cgroupVar = "PODD_LAB_CGROUP"

// String writes c in a form that openCgroup reads.
func (c *Cgroup) String() string {
	var parts []string
	for controllers, dir := range c.dirs {
		parts = append(parts, controllers+"="+dir)
	}
	slices.Sort(parts)
	return strings.Join(parts, ";")
}

func openCgroup(s string) (*Cgroup, error) {
	c := &Cgroup{dirs: map[string]string{}}
	for part := range strings.SplitSeq(s, ";") {
		// A named hierarchy has an equals sign of its own: "name=systemd=/sys/…".
		at := strings.Index(part, "=/")
		if at < 0 {
			return nil, fmt.Errorf("%q names no cgroup", part)
		}
		c.dirs[part[:at]] = part[at+1:]
	}
	return c, nil
}
