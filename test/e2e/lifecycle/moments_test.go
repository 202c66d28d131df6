package lifecycle

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A preStop hook that does not end is killed with its container, after the grace and its two seconds, and is told of.
func TestPreStopHookThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	hook := "lifecycle: {preStop: {exec: {command: [sh, -c, 'echo hook began >/proc/1/fd/1; while :; do sleep 1; echo hook goes on >/proc/1/fd/1; done']}}}"
	b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("main", "trap 'echo asked' TERM; while :; do sleep 0.1; done", hook)))
	b.Running("app")
	b.MustRemove("app")
	b.Logged("app", "main", "asked")
	b.Event("FailedPreStopHook")
	b.Gone("app")
}

// Several files with one pod are one pod in the API, whose condition tells of them all, also after it was deleted by hand.
func TestOnePodOfSeveralFiles(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for _, file := range []string{"a", "b", "c"} {
		b.MustDrop(file, harness.PodOf("app", harness.ContainerOf("main", "echo "+file+"; "+harness.Forever)))
	}
	told := func(pod *corev1.Pod) string {
		if c := conditionOf(pod, "podd.dev/ManifestAccepted"); !strings.Contains(c.Message, "b.yaml") || !strings.Contains(c.Message, "c.yaml") {
			return "its condition is " + fmt.Sprintf("%+v", c)
		}
		return harness.IsRunning(pod)
	}
	first := b.WaitPod("app", told)
	if names := b.CLI("get", "pods", "-o", "name"); names != "pod/app\n" {
		t.Errorf("pods %q", names)
	}
	b.CLI("delete", "pod", "app", "--force")
	b.WaitPod("app", func(pod *corev1.Pod) string {
		if pod.Status.ContainerStatuses[0].ContainerID == first.Status.ContainerStatuses[0].ContainerID {
			return "it is the same yet"
		}
		return told(pod)
	})
}
