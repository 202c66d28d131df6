package test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A container that obeys TERM ends with its own exit code, and long before its grace is over.
func TestObeysTerm(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	grace := "terminationGracePeriodSeconds: 600" // if it were waited for, the test would time out
	b.drop("polite", replaceGrace(onePod("polite", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 1000 & wait $!; done"), grace))
	b.running("polite")
	b.logged("polite", "main", "up")
	b.remove("polite")
	b.gone("polite")
	b.cleared()
}

// A container that ignores TERM costs its grace and no more: it is killed, and everything is gone.
//
// e2e: Pods Extended :: Delete Grace Period :: should be submitted and removed
func TestIgnoresTerm(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("deaf", replaceGrace(onePod("deaf", "trap '' TERM; echo up; while :; do sleep 1; done"), "terminationGracePeriodSeconds: 2"))
	b.running("deaf")
	b.logged("deaf", "main", "up")
	removed := time.Now()
	b.remove("deaf")
	pod := b.wait("deaf", func(pod *corev1.Pod) string {
		if pod.DeletionTimestamp == nil {
			return "it is not being deleted"
		}
		return ""
	})
	if pod.DeletionGracePeriodSeconds == nil || *pod.DeletionGracePeriodSeconds != 2 {
		t.Errorf("deletionGracePeriodSeconds is %v", pod.DeletionGracePeriodSeconds)
	}
	b.gone("deaf")
	// Not a measurement: a kill before its grace is over would be wrong at any speed of the machine.
	if took := time.Since(removed); took < 2*time.Second {
		t.Errorf("killed after %s, its grace is 2s", took)
	}
	b.cleared()
}

// The image's STOPSIGNAL is sent instead of TERM.
func TestStopSignalOfTheImage(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.loadImages("variants.tar")
	manifest := replaceGrace(onePod("usr1", "trap 'exit 0' USR1; trap '' TERM; echo up; while :; do sleep 1000 & wait $!; done"), "terminationGracePeriodSeconds: 600")
	b.drop("usr1", replaceImage(manifest, "podd.test/stopsignal:1"))
	b.running("usr1")
	b.logged("usr1", "main", "up")
	b.remove("usr1")
	b.gone("usr1")
}

// SIGTERM to the daemon without a supervisor that says "restart" ends the pods gracefully.
func TestStopOfTheDaemonEndsThePods(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("a", podOf("a", containerOf("one", forever), containerOf("two", forever)))
	b.drop("b", onePod("b", "trap '' TERM; while :; do sleep 1; done"))
	b.running("a")
	b.running("b")
	b.stop()
	if left := b.Cgroup().Pids(); len(left) > 0 {
		t.Errorf("processes %v outlive the stop", left)
	}
	// What was running is wanted again at the next start.
	b.start()
	b.running("a")
	b.running("b")
}
