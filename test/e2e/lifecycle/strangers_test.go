package lifecycle

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"podd/test/harness"
)

// What a container has is nobody else's on the board. Its root can make a program that makes whoever runs it root: from
// within it is root of the container, from outside it would be root of the board (CVE-2021-41091).
func TestStrangersStayOutside(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	const plant = "cp /bin/busybox /planted; chmod 6755 /planted; touch /dev/shm/open; chmod 666 /dev/shm/open; echo planted; " + harness.Forever
	for name, users := range map[string]string{"board": "hostUsers: true", "own": "hostUsers: false"} {
		b.MustDrop(name, harness.OnePod(name, plant, users))
		b.Logged(name, "main", "planted")
	}
	for _, pattern := range []string{
		"lib/containers/*/upper/planted", "run/roots/*/planted", "run/roots/*/*/planted", "run/sandbox/*/hosts", "run/sandbox/*/shm/open",
		"run/sandbox/*/*.termination", "run/containers/*/state.json", "run/io/*/stdout", "run/pods/*", "run/users/*",
	} {
		paths, err := filepath.Glob(filepath.Join(b.Dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if said := asNobody(t, "stat", path); !strings.Contains(said, "Permission denied") {
				t.Errorf("anybody finds %s: %s", path, said)
			}
		}
	}
	if roots, _ := filepath.Glob(filepath.Join(b.Run, "roots/*/*/planted")); len(roots) != 2 {
		t.Errorf("the roots are elsewhere: %v", roots)
	}
}

// asNobody runs a program as a user without any rights, and returns what it says.
func asNobody(t *testing.T, argv ...string) string {
	t.Helper()
	command := exec.Command(argv[0], argv[1:]...)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	said, _ := command.CombinedOutput()
	return strings.TrimSpace(string(said))
}
