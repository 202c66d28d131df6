package harness

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

// PidOf is the first process of the pod's only container as the node sees it: the process in the board's cgroup with
// PID 1 in its own namespace (NSpid of man 5 proc) and the pod's host name.
func (b *Board) PidOf(pod string) int {
	b.T.Helper()
	found := 0
	b.Must(lab.Poll(Limit, func() (bool, error) {
		for _, pid := range b.Cgroup().Pids() {
			if FirstOfNamespace(pid) && HostnameOf(pid) == pod {
				found = pid
			}
		}
		return found != 0, fmt.Errorf("no process with PID 1 in pod %s", pod)
	}))
	return found
}

func FirstOfNamespace(pid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(value)
			return len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}

// HostnameOf reads a process's HOSTNAME variable, which every container has.
func HostnameOf(pid int) string {
	environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for entry := range strings.SplitSeq(string(environ), "\x00") {
		if value, ok := strings.CutPrefix(entry, "HOSTNAME="); ok {
			return value
		}
	}
	return ""
}

func Kill(pid int) error { return unix.Kill(pid, unix.SIGKILL) }

func StopProcess(pid int) error { return unix.Kill(pid, unix.SIGSTOP) }

// Alive says whether the process still runs; one that has ended and is not reaped yet does not.
func Alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// TouchInside makes a file in the root of another process.
func TouchInside(pid int, path string) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/root%s", pid, path), nil, 0o600)
}
