package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// A changed pod that does not become Ready in time is put back to the last version that was, and stays so over a crash
// and a reboot, until its file changes. The bad file is left alone, and its sentence shows.
func TestRollback(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	version := func(image, script string) string {
		manifest := podOf("app", containerOf("main", script))
		manifest = replaceIn(t, manifest, "  name: app\n", "  name: app\n  annotations: {podd.dev/rollback: \"true\", podd.dev/progress-deadline: \"2\", podd.dev/min-ready-seconds: \"1\"}\n")
		return replaceIn(t, manifest, "image: busybox\n", "image: "+image+"\n")
	}
	good := version("busybox", "echo good; "+forever)
	b.drop("app", good)
	first := b.running("app")
	b.must(lab.Poll(limit, func() (bool, error) {
		kept, err := os.ReadDir(filepath.Join(b.Root, "rollback"))
		return len(kept) == 1, err
	}))
	for name, bad := range map[string]string{
		"a command that fails, which replaces the pod":  version("busybox", "echo bad; exit 1"),
		"an image that is not there, a change in place": version("podd.test/nowhere:1", "echo good; "+forever),
	} {
		b.drop("app", bad)
		isBack := func(pod *corev1.Pod) string {
			if pod.Spec.Containers[0].Image != "busybox" || !strings.Contains(strings.Join(pod.Spec.Containers[0].Args, ""), "echo good") {
				return "it is the bad version"
			}
			if c := conditionOf(pod, "podd.dev/ManifestAccepted"); c.Status != corev1.ConditionFalse || c.Reason != "RolledBack" || !strings.Contains(c.Message, "app.yaml") {
				return "nothing says why it is not what its file says: " + c.Message
			}
			return isRunning(pod)
		}
		back := b.wait("app", isBack)
		b.event("was put back to the version that was Ready last")
		events, err := b.Events()
		b.must(err)
		for _, e := range events {
			if e.Reason == "RolledBack" && strings.HasPrefix(string(e.InvolvedObject.UID), "refused:") {
				t.Errorf("%s: a second event is about %s", name, e.InvolvedObject.UID)
			}
		}
		if back.UID != first.UID {
			t.Errorf("%s: pod %s came back as %s", name, first.UID, back.UID)
		}
		b.kill9()
		b.start()
		b.wait("app", isBack)
		b.reboot()
		b.start()
		b.wait("app", isBack)
		if got := b.readFile(b.Manifests + "/app.yaml"); got != bad {
			t.Errorf("%s: the file was changed:\n%s", name, got)
		}
	}
	b.drop("app", version("busybox", "echo better; "+forever))
	b.wait("app", func(pod *corev1.Pod) string {
		if !strings.Contains(pod.Spec.Containers[0].Args[0], "better") {
			return "it is the old version"
		}
		if c := conditionOf(pod, "podd.dev/ManifestAccepted"); c.Status == corev1.ConditionFalse {
			return c.Message
		}
		return isRunning(pod)
	})
}

// Without the annotation a bad version stays, and fails in the open.
func TestNoRollbackUnlessAsked(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	b.running("app")
	b.drop("app", onePod("app", "exit 1"))
	b.wait("app", isWaiting("main", "CrashLoopBackOff"))
	b.drop("bad", replaceIn(t, onePod("bad", forever), "  name: bad\n", "  name: bad\n  annotations: {podd.dev/progress-deadline: soon}\n"))
	b.event(`metadata.annotations[podd.dev/progress-deadline]: Invalid value: "soon": must be a number of seconds greater than 0`)
}
