package test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// said waits until a log file has the text so many times at least.
func (b *Board) said(path, text string, times int) {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		data, err := os.ReadFile(path)
		return err == nil && strings.Count(string(data), text) >= times, fmt.Errorf("%s lacks %q %d times:\n%s", path, text, times, data)
	}))
}

// crash kills the daemon and starts another.
func (b *Board) crash() {
	b.t.Helper()
	b.kill9()
	b.start()
}

// A daemon that dies while a preStop hook runs, or while a container takes its time to end, is followed by one that
// goes on with the grace that is left: the deadline stays, the hook is delivered again, the signal is sent.
func TestCrashWhileAPodEnds(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	manifest := podOf("ends", containerOf("main", "trap 'echo got TERM; "+untilFile("end")+"; exit 0' TERM; echo up; while :; do sleep 0.05; done",
		"lifecycle:\n  preStop:\n    exec:\n      command: [sh, -c, 'echo hook >/proc/1/fd/1; "+untilFile("hook")+"']"))
	b.drop("ends", replaceGrace(manifest, "terminationGracePeriodSeconds: 600"))
	b.logged("ends", "main", "up")
	log := b.logDir("ends") + "/main/0.log"
	b.remove("ends")
	b.said(log, "F hook", 1)
	deadline := b.pod("ends").DeletionTimestamp
	b.crash()
	b.said(log, "F hook", 2)
	if now := b.pod("ends").DeletionTimestamp; deadline == nil || now == nil || now.Sub(deadline.Time).Abs() > time.Second {
		t.Errorf("the deadline %v became %v", deadline, now)
	}
	b.sh("ends", "main", "touch /dev/shm/hook")
	b.said(log, "got TERM", 1)
	b.crash()
	if pod := b.pod("ends"); pod.DeletionTimestamp == nil || containerStatus(pod, "main").State.Running == nil {
		t.Errorf("after the second crash it is %s", brief(pod))
	}
	b.sh("ends", "main", "touch /dev/shm/end")
	b.gone("ends")
	if got := strings.Count(b.readFile(log), "got TERM"); got != 1 {
		t.Errorf("it got TERM %d times", got)
	}
}

// A daemon that dies while an init container runs, or while a sidecar ends after the main container has succeeded.
func TestCrashInTheMiddleOfALife(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("job", replaceGrace(podOf("job", "restartPolicy: Never",
		inits(containerOf("side", "trap 'echo got TERM; "+untilFile("side")+"; exit 0' TERM; while :; do sleep 0.05; done", "restartPolicy: Always"), containerOf("init", "echo init; "+untilFile("init"))),
		containerOf("main", "echo main; "+untilFile("main"))), "terminationGracePeriodSeconds: 600"))
	b.logged("job", "init", "init")
	b.crash()
	b.sh("job", "side", "touch /dev/shm/init")
	b.logged("job", "main", "main")
	b.crash()
	b.sh("job", "side", "touch /dev/shm/main")
	b.logged("job", "side", "got TERM")
	b.crash()
	if pod := b.pod("job"); pod.Status.Phase != corev1.PodRunning {
		t.Errorf("while its sidecar ends the pod is %s", pod.Status.Phase)
	}
	b.sh("job", "side", "touch /dev/shm/side")
	b.wait("job", isPhase(corev1.PodSucceeded))
	b.crash()
	b.reboot()
	b.start()
	pod := b.wait("job", isPhase(corev1.PodSucceeded))
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if s.RestartCount != 0 || s.State.Terminated == nil || s.State.Terminated.ExitCode != 0 {
			t.Errorf("%s is %+v", s.Name, s)
		}
	}
	if c := conditionOf(pod, corev1.PodReady); c.Status != corev1.ConditionFalse || c.Reason != "PodCompleted" {
		t.Errorf("Ready is %+v", c)
	}
}
