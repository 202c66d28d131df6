package lifecycle

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// The machine's shutdown waits until the pods have ended, by priority. podd stays and says so; when the shutdown is given up, the
// pods run again, and podd waits for the next one.
func TestMachineShutdown(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("hack/deps.sh test installs dbus-daemon")
	}
	logind, err := lab.NewLogind(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = logind.Close() })
	logind.SetDelay(time.Hour) // podd would write a drop-in of this machine's
	b := harness.NewBoard(t, func(o *lab.Options) { o.Env = append(o.Env, "DBUS_SYSTEM_BUS_ADDRESS="+logind.Address) })
	locks := func(n int) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) { return logind.Locks() == n, fmt.Errorf("%d locks", logind.Locks()) }))
	}
	node := func(status corev1.ConditionStatus, message string) {
		t.Helper()
		var n corev1.Node
		b.Must(b.Get("/api/v1/nodes/lab", &n))
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && (c.Status != status || message != "" && c.Message != message) {
				t.Errorf("the node is %+v", c)
			}
		}
	}
	// What has ended stays to be seen, whichever way it took the signal.
	over := func(p *corev1.Pod) string {
		if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			return ""
		}
		return "it has not ended"
	}
	b.MustDrop("critical", harness.OnePod("critical", harness.Forever, "priorityClassName: system-node-critical"))
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("critical")
	b.Running("app")
	locks(1)
	node(corev1.ConditionTrue, "")
	b.Must(logind.Prepare(true))
	locks(0)
	node(corev1.ConditionFalse, "node is shutting down")
	b.WaitPod("critical", over)
	b.WaitPod("app", over)
	if b.Pid() == 0 {
		t.Fatal("podd has ended")
	}
	b.Must(logind.Prepare(false))
	b.Running("critical")
	b.Running("app")
	locks(1)
	node(corev1.ConditionTrue, "")
	if events := b.CLI("get", "events"); strings.Count(events, "NodeShutdown") != 2 {
		t.Errorf("the events are\n%s", events)
	}
	b.Must(logind.Prepare(true))
	b.WaitPod("critical", over)
	b.MustStop() // as systemd does then
	log := b.ReadFile(filepath.Join(b.Dir, "podd.out"))
	app, critical := strings.Index(log, "msg=\"pod removed\" pod=default/app"), strings.Index(log, "msg=\"stopping container\" pod=default/critical")
	if app < 0 || critical < app {
		t.Errorf("the critical pod is told to end before the other one has gone (%d, %d):\n%s", app, critical, log)
	}
}
