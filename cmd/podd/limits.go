package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// lowestOOMScore is the lowest oom_score_adj that the kernel lets this process give: its own, unless it may
// exceed resource limits. man 5 proc, /proc/pid/oom_score_adj.
func lowestOOMScore() int {
	const lowest = -1000
	if self, err := capability.NewPid2(0); err == nil && self.Load() == nil && self.Get(capability.EFFECTIVE, capability.CAP_SYS_RESOURCE) {
		return lowest
	}
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return own
}

// memoryCapacity is the board's memory in bytes; 0 if the kernel does not tell.
func memoryCapacity() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}
