package lifecycle

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A container that obeys TERM ends with its own exit code, and long before its grace is over.
func TestObeysTerm(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	grace := "terminationGracePeriodSeconds: 600" // if it were waited for, the test would time out
	b.MustDrop("polite", replaceGrace(harness.OnePod("polite", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 1000 & wait $!; done"), grace))
	b.Running("polite")
	b.Logged("polite", "main", "up")
	b.MustRemove("polite")
	b.Gone("polite")
	b.Cleared()
}

// A container that ignores TERM costs its grace and no more: it is killed, and everything is gone.
//
// e2e: Pods Extended :: Delete Grace Period :: should be submitted and removed
func TestIgnoresTerm(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("deaf", replaceGrace(harness.OnePod("deaf", "trap '' TERM; echo up; while :; do sleep 1; done"), "terminationGracePeriodSeconds: 2"))
	b.Running("deaf")
	b.Logged("deaf", "main", "up")
	removed := time.Now()
	b.MustRemove("deaf")
	pod := b.WaitPod("deaf", func(pod *corev1.Pod) string {
		if pod.DeletionTimestamp == nil {
			return "it is not being deleted"
		}
		return ""
	})
	if pod.DeletionGracePeriodSeconds == nil || *pod.DeletionGracePeriodSeconds != 2 {
		t.Errorf("deletionGracePeriodSeconds is %v", pod.DeletionGracePeriodSeconds)
	}
	b.Gone("deaf")
	// Not a measurement: a kill before its grace is over would be wrong at any speed of the machine.
	if took := time.Since(removed); took < 2*time.Second {
		t.Errorf("killed after %s, its grace is 2s", took)
	}
	b.Cleared()
}

// The image's STOPSIGNAL is sent instead of TERM.
func TestStopSignalOfTheImage(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.LoadImages("variants.tar")
	manifest := replaceGrace(harness.OnePod("usr1", "trap 'exit 0' USR1; trap '' TERM; echo up; while :; do sleep 1000 & wait $!; done"), "terminationGracePeriodSeconds: 600")
	b.MustDrop("usr1", harness.ReplaceImage(manifest, "podd.test/stopsignal:1"))
	b.Running("usr1")
	b.Logged("usr1", "main", "up")
	b.MustRemove("usr1")
	b.Gone("usr1")
}

// SIGTERM to the daemon without a supervisor that says "restart" ends the pods gracefully.
func TestStopOfTheDaemonEndsThePods(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("a", harness.PodOf("a", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)))
	b.MustDrop("b", harness.OnePod("b", "trap '' TERM; while :; do sleep 1; done"))
	b.Running("a")
	b.Running("b")
	b.MustStop()
	if left := b.Cgroup().Pids(); len(left) > 0 {
		t.Errorf("processes %v outlive the stop", left)
	}
	// What was running is wanted again at the next start.
	b.MustStart()
	b.Running("a")
	b.Running("b")
}
