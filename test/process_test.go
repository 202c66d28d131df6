package test

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

// pidOf is the first process of the pod's only container as the node sees it: the process in the board's cgroup with
// PID 1 in its own namespace (NSpid of man 5 proc) and the pod's host name.
func (b *Board) pidOf(pod string) int {
	b.t.Helper()
	found := 0
	b.must(lab.Poll(limit, func() (bool, error) {
		for _, pid := range b.Cgroup().Pids() {
			if firstOfNamespace(pid) && hostnameOf(pid) == pod {
				found = pid
			}
		}
		return found != 0, fmt.Errorf("no process with PID 1 in pod %s", pod)
	}))
	return found
}

func firstOfNamespace(pid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(value)
			return len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}

// hostnameOf reads a process's HOSTNAME variable, which every container has.
func hostnameOf(pid int) string {
	environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for entry := range strings.SplitSeq(string(environ), "\x00") {
		if value, ok := strings.CutPrefix(entry, "HOSTNAME="); ok {
			return value
		}
	}
	return ""
}

func kill(pid int) error { return unix.Kill(pid, unix.SIGKILL) }

func stopProcess(pid int) error { return unix.Kill(pid, unix.SIGSTOP) }

// alive says whether the process still runs; one that has ended and is not reaped yet does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// touchInside makes a file in the root of another process.
func touchInside(pid int, path string) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/root%s", pid, path), nil, 0o600)
}
