package lifecycle

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/harness"
)

// Flags win over the configuration file, which wins over the defaults.
func TestOptions(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("podCIDR: 10.76.0.0/24\nbridge: frombook0\nnodeName: ignored\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, harness.WithArgs("--config", file, "--pod-cidr", "10.77.0.0/24"))
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	pod := b.Running("app")
	addr, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil || !netip.MustParsePrefix("10.77.0.0/24").Contains(addr) {
		t.Errorf("the pod's address is %q: %v", pod.Status.PodIP, err)
	}
	if links := strings.Join(b.Links(), "\n"); !strings.Contains(links, "frombook0") {
		t.Errorf("no bridge of the configured name:\n%s", links)
	}
	if pod.Spec.NodeName != "lab" {
		t.Errorf("nodeName is %q", pod.Spec.NodeName)
	}
}

// SIGUSR1 ends the daemon and leaves the pods; so does a restart of the unit. The next daemon has them again.
func TestLeaveThePodsRunning(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	before := b.Running("app")
	pid := b.PidOf("app")
	b.Must(unix.Kill(b.Pid(), unix.SIGUSR1))
	b.Must(b.Ended(harness.Limit))
	if !harness.Alive(pid) {
		t.Fatal("the container ended with the daemon")
	}
	b.MustStart()
	after := b.Running("app")
	if harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID || b.PidOf("app") != pid {
		t.Error("the next daemon has another container")
	}
}

// A second daemon on the same run folder is refused and disturbs nothing.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	output, err := b.In(append([]string{harness.Suite.Podd}, b.RunArgs()...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "another podd") {
		t.Errorf("%v: %s", err, output)
	}
	b.Sh("app", "main", "true")
}
