package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// idleness is what the daemon did in a time in which nothing was to be done.
type idleness struct {
	switches int64
	cpu      time.Duration
	written  int64
}

// measureIdle compares the daemon before and after a rest.
func measureIdle(pid int, rest time.Duration) (idleness, error) {
	before, err := readIdleness(pid)
	if err != nil {
		return idleness{}, err
	}
	time.Sleep(rest)
	after, err := readIdleness(pid)
	return idleness{
		switches: after.switches - before.switches, cpu: after.cpu - before.cpu, written: after.written - before.written,
	}, err
}

// readIdleness sums the context switches, wanted and unwanted, of all threads: a thread that sleeps on switches when
// it wakes up and goes back to sleep, and not otherwise.
func readIdleness(pid int) (idleness, error) {
	var sum idleness
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return sum, fmt.Errorf("process %d has no threads: %w", pid, err)
	}
	for _, task := range tasks {
		sum.switches += field(readString(task+"/status"), "voluntary_ctxt_switches:")
		sum.switches += field(readString(task+"/status"), "nonvoluntary_ctxt_switches:")
		// The first number of schedstat is the time on a CPU in nanoseconds.
		if first, _, ok := strings.Cut(readString(task+"/schedstat"), " "); ok {
			ns, _ := strconv.ParseInt(first, 10, 64)
			sum.cpu += time.Duration(ns)
		}
	}
	sum.written = field(readString(fmt.Sprintf("/proc/%d/io", pid)), "write_bytes:")
	return sum, nil
}

// field reads the number after a name at the beginning of a line.
func field(text, name string) int64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n
		}
	}
	return 0
}
