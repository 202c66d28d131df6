package lifecycle

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// saidOf waits until a log file has the text so many times at least.
func saidOf(b *harness.Board, path, text string, times int) {
	b.T.Helper()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		data, err := os.ReadFile(path)
		return err == nil && strings.Count(string(data), text) >= times, fmt.Errorf("%s lacks %q %d times:\n%s", path, text, times, data)
	}))
}

// crash kills the daemon and starts another.
func crash(b *harness.Board) {
	b.T.Helper()
	b.MustKill9()
	b.MustStart()
}

// A daemon that dies while a preStop hook runs, or while a container takes its time to end, is followed by one that
// goes on with the grace that is left: the deadline stays, the hook is delivered again, the signal is sent.
func TestCrashWhileAPodEnds(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	manifest := harness.PodOf("ends", harness.ContainerOf("main", "trap 'echo got TERM; "+untilFile("end")+"; exit 0' TERM; echo up; while :; do sleep 0.05; done",
		"lifecycle:\n  preStop:\n    exec:\n      command: [sh, -c, 'echo hook >/proc/1/fd/1; "+untilFile("hook")+"']"))
	b.MustDrop("ends", replaceGrace(manifest, "terminationGracePeriodSeconds: 600"))
	b.Logged("ends", "main", "up")
	log := logDir(b, "ends") + "/main/0.log"
	b.MustRemove("ends")
	saidOf(b, log, "F hook", 1)
	deadline := b.MustPod("ends").DeletionTimestamp
	crash(b)
	saidOf(b, log, "F hook", 2)
	if now := b.MustPod("ends").DeletionTimestamp; deadline == nil || now == nil || now.Sub(deadline.Time).Abs() > time.Second {
		t.Errorf("the deadline %v became %v", deadline, now)
	}
	b.Sh("ends", "main", "touch /dev/shm/hook")
	saidOf(b, log, "got TERM", 1)
	crash(b)
	if pod := b.MustPod("ends"); pod.DeletionTimestamp == nil || harness.ContainerStatus(pod, "main").State.Running == nil {
		t.Errorf("after the second crash it is %s", harness.Brief(pod))
	}
	b.Sh("ends", "main", "touch /dev/shm/end")
	b.Gone("ends")
	if got := strings.Count(b.ReadFile(log), "got TERM"); got != 1 {
		t.Errorf("it got TERM %d times", got)
	}
}

// A daemon that dies while an init container runs, or while a sidecar ends after the main container has succeeded.
func TestCrashInTheMiddleOfALife(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("job", replaceGrace(harness.PodOf("job", "restartPolicy: Never",
		inits(harness.ContainerOf("side", "trap 'echo got TERM; "+untilFile("side")+"; exit 0' TERM; while :; do sleep 0.05; done", "restartPolicy: Always"), harness.ContainerOf("init", "echo init; "+untilFile("init"))),
		harness.ContainerOf("main", "echo main; "+untilFile("main"))), "terminationGracePeriodSeconds: 600"))
	b.Logged("job", "init", "init")
	crash(b)
	b.Sh("job", "side", "touch /dev/shm/init")
	b.Logged("job", "main", "main")
	crash(b)
	b.Sh("job", "side", "touch /dev/shm/main")
	b.Logged("job", "side", "got TERM")
	crash(b)
	if pod := b.MustPod("job"); pod.Status.Phase != corev1.PodRunning {
		t.Errorf("while its sidecar ends the pod is %s", pod.Status.Phase)
	}
	b.Sh("job", "side", "touch /dev/shm/side")
	b.WaitPod("job", harness.IsPhase(corev1.PodSucceeded))
	crash(b)
	b.MustReboot()
	b.MustStart()
	pod := b.WaitPod("job", harness.IsPhase(corev1.PodSucceeded))
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if s.RestartCount != 0 || s.State.Terminated == nil || s.State.Terminated.ExitCode != 0 {
			t.Errorf("%s is %+v", s.Name, s)
		}
	}
	if c := conditionOf(pod, corev1.PodReady); c.Status != corev1.ConditionFalse || c.Reason != "PodCompleted" {
		t.Errorf("Ready is %+v", c)
	}
}
