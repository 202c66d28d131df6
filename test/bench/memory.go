package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"podd/test/lab"
)

// memory is what the processes of a cgroup that are not workload hold.
type memory struct{ pss, anonymous int64 }

func measureMemory(group *lab.Cgroup, ignore ...int) memory {
	var sum memory
	for _, pid := range group.Pids() {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || filepath.Base(exe) == "stamp" || contains(ignore, pid) {
			continue
		}
		m := parseRollup(readString(fmt.Sprintf("/proc/%d/smaps_rollup", pid)))
		sum.pss += m.pss
		sum.anonymous += m.anonymous
	}
	return sum
}

// parseRollup reads the sums of smaps_rollup (man 5 proc), which are in kB.
func parseRollup(text string) memory {
	var m memory
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kb, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "Pss:":
			m.pss = kb << 10
		case "Pss_Anon:":
			m.anonymous = kb << 10
		}
	}
	return m
}

func readString(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

func contains(list []int, value int) bool {
	for _, v := range list {
		if v == value {
			return true
		}
	}
	return false
}
