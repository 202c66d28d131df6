package lifecycle

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// The restart policies, with success and with failure: what the phase is in the end, and how often was restarted.
//
// e2e: Container Runtime :: blackbox test :: when starting a container that exits :: should run with the expected status
func TestRestartPolicies(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for _, c := range []struct {
		name, policy, script string
		phase                corev1.PodPhase
		restarts             int32
	}{
		{"never-ok", "Never", "exit 0", corev1.PodSucceeded, 0},
		{"never-bad", "Never", "exit 3", corev1.PodFailed, 0},
		{"onfailure-ok", "OnFailure", "exit 0", corev1.PodSucceeded, 0},
		{"onfailure-bad", "OnFailure", "exit 3", corev1.PodRunning, 1},
		{"always-ok", "Always", "exit 0", corev1.PodRunning, 1},
	} {
		b.MustDrop(c.name, harness.OnePod(c.name, c.script, "restartPolicy: "+c.policy))
		pod := b.WaitPod(c.name, func(pod *corev1.Pod) string {
			if missing := harness.IsPhase(c.phase)(pod); missing != "" {
				return missing
			}
			return harness.HasRestarted("main", c.restarts)(pod)
		})
		if got := harness.ContainerStatus(pod, "main").RestartCount; c.restarts == 0 && got != 0 {
			t.Errorf("%s: %d restarts", c.name, got)
		}
	}
}

// A container that always fails waits in CrashLoopBackOff, is counted, and its pod can be removed from there.
//
// e2e: Kubelet :: when scheduling a busybox command that always fails in a pod :: should have an terminated reason
// e2e: Kubelet :: when scheduling a busybox command that always fails in a pod :: should be possible to delete
func TestCrashLoopBackOff(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("loop", harness.OnePod("loop", "echo about to fail; exit 7"))
	pod := b.WaitPod("loop", func(pod *corev1.Pod) string {
		if missing := harness.IsWaiting("main", "CrashLoopBackOff")(pod); missing != "" {
			return missing
		}
		return harness.HasRestarted("main", 1)(pod)
	})
	status := harness.ContainerStatus(pod, "main")
	if !strings.Contains(status.State.Waiting.Message, "back-off") {
		t.Errorf("the message is %q", status.State.Waiting.Message)
	}
	last := status.LastTerminationState.Terminated
	if last == nil || last.ExitCode != 7 || last.Reason != "Error" || last.FinishedAt.IsZero() {
		t.Errorf("the last attempt is told as %+v", last)
	}
	if table := b.CLI("get", "pods"); !strings.Contains(table, "CrashLoopBackOff") {
		t.Errorf("get pods says:\n%s", table)
	}
	// The second wait is 10 s; the third attempt proves that a deadline, not an event, starts it.
	b.WaitPod("loop", harness.HasRestarted("main", 2))
	b.MustRemove("loop")
	b.Gone("loop")
}

// Back-off outlives the daemon: a crash of podd is no amnesty for a container that crashes.
func TestBackOffOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("loop", harness.OnePod("loop", "exit 1"))
	b.WaitPod("loop", func(pod *corev1.Pod) string {
		if missing := harness.IsWaiting("main", "CrashLoopBackOff")(pod); missing != "" {
			return missing
		}
		return harness.HasRestarted("main", 1)(pod)
	})
	b.MustKill9()
	b.MustStart()
	pod := b.WaitPod("loop", harness.IsWaiting("main", "CrashLoopBackOff"))
	if got := harness.ContainerStatus(pod, "main").RestartCount; got < 1 {
		t.Errorf("after the crash the restart count is %d", got)
	}
}
