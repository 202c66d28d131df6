package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hack/leaks.sh tells what a run of tests has left from what other runs and other podds have on the machine.
func TestLeaks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes cgroups")
	}
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil || len(hierarchies) == 0 {
		hierarchies = []string{"/sys/fs/cgroup/cgroup.procs"}
	}
	root := filepath.Dir(hierarchies[0])
	for _, name := range []string{"podd-lab-leaks0-7", "podd-lab-leaks1-7", "podd-of-somebody"} {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skipf("cannot make a cgroup: %v", err)
		}
		defer func() { _ = os.Remove(dir) }()
	}
	cmd := exec.Command("../../hack/leaks.sh")
	cmd.Env = append(os.Environ(), "PODD_TEST_RUN=leaks1", "PODD_TEST_LINKS=no")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var cgroups []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "cgroup ") {
			cgroups = append(cgroups, strings.TrimSpace(line))
		}
	}
	if want := "cgroup " + filepath.Join(root, "podd-lab-leaks1-7"); len(cgroups) != 1 || cgroups[0] != want {
		t.Errorf("got %q, want %q", cgroups, want)
	}
}
