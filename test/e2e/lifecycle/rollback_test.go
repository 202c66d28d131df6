package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// A changed pod that does not become Ready in time is put back to the last version that was, and stays so over a crash
// and a reboot, until its file changes. The bad file is left alone, and its sentence shows.
func TestRollback(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	version := func(image, script string) string {
		manifest := harness.PodOf("app", harness.ContainerOf("main", script))
		manifest = harness.ReplaceIn(t, manifest, "  name: app\n", "  name: app\n  annotations: {podd.dev/rollback: \"true\", podd.dev/progress-deadline: \"2\", podd.dev/min-ready-seconds: \"1\"}\n")
		return harness.ReplaceIn(t, manifest, "image: busybox\n", "image: "+image+"\n")
	}
	good := version("busybox", "echo good; "+harness.Forever)
	b.MustDrop("app", good)
	first := b.Running("app")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		kept, err := os.ReadDir(filepath.Join(b.Root, "rollback"))
		return len(kept) == 1, err
	}))
	for name, bad := range map[string]string{
		"a command that fails, which replaces the pod":  version("busybox", "echo bad; exit 1"),
		"an image that is not there, a change in place": version("podd.test/nowhere:1", "echo good; "+harness.Forever),
	} {
		b.MustDrop("app", bad)
		isBack := func(pod *corev1.Pod) string {
			if pod.Spec.Containers[0].Image != "busybox" || !strings.Contains(strings.Join(pod.Spec.Containers[0].Args, ""), "echo good") {
				return "it is the bad version"
			}
			if c := conditionOf(pod, "podd.dev/ManifestAccepted"); c.Status != corev1.ConditionFalse || c.Reason != "RolledBack" || !strings.Contains(c.Message, "app.yaml") {
				return "nothing says why it is not what its file says: " + c.Message
			}
			return harness.IsRunning(pod)
		}
		back := b.WaitPod("app", isBack)
		b.Event("was put back to the version that was Ready last")
		events, err := b.Events()
		b.Must(err)
		for _, e := range events {
			if e.Reason == "RolledBack" && strings.HasPrefix(string(e.InvolvedObject.UID), "refused:") {
				t.Errorf("%s: a second event is about %s", name, e.InvolvedObject.UID)
			}
		}
		if back.UID != first.UID {
			t.Errorf("%s: pod %s came back as %s", name, first.UID, back.UID)
		}
		b.MustKill9()
		b.MustStart()
		b.WaitPod("app", isBack)
		b.MustReboot()
		b.MustStart()
		b.WaitPod("app", isBack)
		if got := b.ReadFile(b.Manifests + "/app.yaml"); got != bad {
			t.Errorf("%s: the file was changed:\n%s", name, got)
		}
	}
	b.MustDrop("app", version("busybox", "echo better; "+harness.Forever))
	b.WaitPod("app", func(pod *corev1.Pod) string {
		if !strings.Contains(pod.Spec.Containers[0].Args[0], "better") {
			return "it is the old version"
		}
		if c := conditionOf(pod, "podd.dev/ManifestAccepted"); c.Status == corev1.ConditionFalse {
			return c.Message
		}
		return harness.IsRunning(pod)
	})
}

// Without the annotation a bad version stays, and fails in the open.
func TestNoRollbackUnlessAsked(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	b.MustDrop("app", harness.OnePod("app", "exit 1"))
	b.WaitPod("app", harness.IsWaiting("main", "CrashLoopBackOff"))
	b.MustDrop("bad", harness.ReplaceIn(t, harness.OnePod("bad", harness.Forever), "  name: bad\n", "  name: bad\n  annotations: {podd.dev/progress-deadline: soon}\n"))
	b.Event(`metadata.annotations[podd.dev/progress-deadline]: Invalid value: "soon": must be a number of seconds greater than 0`)
}
