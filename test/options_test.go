package test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Flags win over the configuration file, which wins over the defaults.
func TestOptions(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("podCIDR: 10.76.0.0/24\nbridge: frombook0\nnodeName: ignored\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBoard(t, withArgs("--config", file, "--pod-cidr", "10.77.0.0/24"))
	b.drop("app", onePod("app", forever))
	pod := b.running("app")
	addr, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil || !netip.MustParsePrefix("10.77.0.0/24").Contains(addr) {
		t.Errorf("the pod's address is %q: %v", pod.Status.PodIP, err)
	}
	if links := strings.Join(b.links(), "\n"); !strings.Contains(links, "frombook0") {
		t.Errorf("no bridge of the configured name:\n%s", links)
	}
	if pod.Spec.NodeName != "lab" {
		t.Errorf("nodeName is %q", pod.Spec.NodeName)
	}
}

// SIGUSR1 ends the daemon and leaves the pods; so does a restart of the unit. The next daemon has them again.
func TestLeaveThePodsRunning(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	before := b.running("app")
	pid := b.pidOf("app")
	b.must(unix.Kill(b.Pid(), unix.SIGUSR1))
	b.must(b.Ended(limit))
	if !alive(pid) {
		t.Fatal("the container ended with the daemon")
	}
	b.start()
	after := b.running("app")
	if containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID || b.pidOf("app") != pid {
		t.Error("the next daemon has another container")
	}
}

// A second daemon on the same run folder is refused and disturbs nothing.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	b.running("app")
	output, err := b.In(append([]string{suite.podd}, b.RunArgs()...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "another podd") {
		t.Errorf("%v: %s", err, output)
	}
	b.sh("app", "main", "true")
}
