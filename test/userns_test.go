package test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// idsOf is the first id of the machine that the user namespace of a process has, which must be one range of 65536.
func idsOf(t *testing.T, pid int) int {
	t.Helper()
	first := 0
	for _, file := range []string{"uid_map", "gid_map"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(string(text))
		if len(f) != 3 || f[0] != "0" || f[2] != "65536" {
			t.Fatalf("%s is %q", file, text)
		}
		if first, err = strconv.Atoi(f[1]); err != nil {
			t.Fatal(err)
		}
	}
	return first
}

// statusOf is a line of man 5 proc's status.
func statusOf(t *testing.T, pid int, key string) []string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Fields(value)
		}
	}
	t.Fatalf("process %d has no %s", pid, key)
	return nil
}

// Root in a pod with a user namespace of its own is nobody on the machine, and nobody that another pod has.
func TestUserNamespace(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("one", onePod("one", forever, "hostUsers: false"))
	b.drop("two", onePod("two", forever, "hostUsers: false"))
	b.drop("host", onePod("host", forever))
	seen := map[int]bool{}
	for _, name := range []string{"one", "two"} {
		b.running(name)
		pid := b.pidOf(name)
		first := idsOf(t, pid)
		if first < 1<<16 || seen[first] {
			t.Errorf("pod %s has the ids from %d on", name, first)
		}
		seen[first] = true
		if uid := statusOf(t, pid, "Uid")[0]; uid != strconv.Itoa(first) {
			t.Errorf("root of pod %s is %s on the machine, not %d", name, uid, first)
		}
		if got := b.sh(name, "main", "id -u; stat -c %u:%g / /etc/hosts /bin/busybox /dev/shm; touch /made; stat -c %u:%g /made; echo to-stdout >/dev/stdout"); got != "0\n0:0\n0:0\n0:0\n0:0\n0:0\nto-stdout" {
			t.Errorf("in pod %s: %q", name, got)
		}
	}
	b.running("host")
	if ids := strings.Join(statusOf(t, b.pidOf("host"), "Uid"), " "); ids != "0 0 0 0" {
		t.Errorf("a pod without has the ids %s", ids)
	}
}
