package lifecycle

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// After a power cut the pods of the folder run again, once each, as new pods do: nothing of the old run folder is
// needed and nothing of it is believed.
//
// e2e: should restart all pods after the node reboot
func TestReboot(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo boot; "+harness.Forever))
	b.MustDrop("gone", harness.OnePod("gone", harness.Forever))
	b.Running("app")
	b.Running("gone")
	b.MustReboot()
	b.MustRemove("gone")
	b.MustStart()
	b.Running("app")
	b.Sh("app", "main", "true") // what is told as running does run
	b.Gone("gone")
	b.MustRemove("app")
	b.Gone("app")
	b.Cleared()
}

// A power cut in the middle of starting many pods leaves a board that comes up.
func TestRebootDuringStart(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.LoadImages("busybox.tar", "variants.tar")
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, name := range names {
		b.MustDrop(name, harness.OnePod(name, harness.Forever))
	}
	for range 3 {
		b.Must(b.Start())
		b.WaitPod(names[0], func(pod *corev1.Pod) string { return hasStatuses(pod) })
		b.MustReboot()
	}
	b.MustStart()
	for _, name := range names {
		b.Running(name)
	}
}
