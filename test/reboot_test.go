package test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// After a power cut the pods of the folder run again, once each, as new pods do: nothing of the old run folder is
// needed and nothing of it is believed.
//
// e2e: should restart all pods after the node reboot
func TestReboot(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", "echo boot; "+forever))
	b.drop("gone", onePod("gone", forever))
	b.running("app")
	b.running("gone")
	b.reboot()
	b.remove("gone")
	b.start()
	b.running("app")
	b.sh("app", "main", "true") // what is told as running does run
	b.gone("gone")
	b.remove("app")
	b.gone("app")
	b.cleared()
}

// A power cut in the middle of starting many pods leaves a board that comes up.
func TestRebootDuringStart(t *testing.T) {
	t.Parallel()
	b := newEmptyBoard(t)
	b.loadImages("busybox.tar", "variants.tar")
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, name := range names {
		b.drop(name, onePod(name, forever))
	}
	for range 3 {
		b.must(b.Start())
		b.wait(names[0], func(pod *corev1.Pod) string { return hasStatuses(pod) })
		b.reboot()
	}
	b.start()
	for _, name := range names {
		b.running(name)
	}
}
