package workloads

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// A board is cordoned, drained as its budgets allow, uncordoned, and goes down by logind with those that may go gone before.
func TestDrainOfTheBoard(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("hack/deps.sh test installs dbus-daemon")
	}
	logind, err := lab.NewLogind(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = logind.Close() })
	b := harness.NewBoard(t)
	quick := func(name string, replicas int) string {
		return strings.Replace(rollingOf(name, harness.ContainerOf("main", harness.Forever)), "replicas: 2", fmt.Sprintf("replicas: %d", replicas), 1)
	}
	b.MustDrop("all", quick("web", 2)+"---\n"+quick("one", 1)+`---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: one}
spec: {minAvailable: 1, selector: {matchLabels: {app: one}}}
---
apiVersion: v1
kind: Pod
metadata: {name: static}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: busybox, imagePullPolicy: Never, command: [sleep, "1000"]}]}
`)
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	b.Until(harness.Has("1/1"), "get", "deploy", "one")
	b.Running("static")
	asks := func(code int, words []string, args ...string) {
		t.Helper()
		command := b.Podd(args...)
		command.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+logind.Address)
		out, err := command.CombinedOutput()
		if command.ProcessState.ExitCode() != code || !harness.Has(words...)(string(out)) {
			t.Errorf("podd %s: %v: %s, want %q", strings.Join(args, " "), err, out, words)
		}
	}
	asks(0, []string{"node/lab cordoned", "evicting pod default/web-", "pod/web-", "evicted", "Warning: pods of the folder stay: default/static", "node/lab drained"}, "drain", "--pod-selector", "app!=one")
	asks(0, []string{"SchedulingDisabled"}, "get", "node")
	b.Until(func(out string) bool { return strings.Count(out, "Pending") == 2 }, "get", "pods", "-l", "app=web")
	asks(1, []string{"Cannot evict pod as it would violate the pod's disruption budget.", "drain did not complete within 1s"}, "drain", "--timeout=1s")
	asks(0, []string{"node/lab uncordoned"}, "uncordon")
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	// The pods of web may go or not before the time is over: that of the budget may not.
	asks(1, []string{"and the board stays up", "node/lab uncordoned"}, "reboot", "--timeout=10ms")
	if got := logind.WentDown(); len(got) != 0 {
		t.Errorf("the board went down by %q", got)
	}
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	asks(0, []string{"node/lab is rebooting"}, "reboot", "--timeout=10ms", "--force")
	if got := fmt.Sprint(logind.WentDown()); got != "[Reboot]" {
		t.Errorf("the board was asked for %s", got)
	}
	asks(0, []string{"podd.dev/uncordon-after-boot"}, "get", "node", "-o", "yaml")
}
