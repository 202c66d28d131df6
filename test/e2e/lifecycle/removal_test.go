package lifecycle

import (
	"strings"
	"testing"

	"podd/test/harness"
)

// The removal of pods leaves nothing: no process, cgroup, mount, link, lease or folder, whatever they were doing.
//
// e2e: Pods Extended :: Delete Grace Period :: should be submitted and removed
func TestRemovalLeavesNothing(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	pods := map[string]string{
		"idle":    harness.OnePod("idle", harness.Forever),
		"two":     harness.PodOf("two", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)),
		"failing": harness.OnePod("failing", "exit 1"),
		"forking": harness.OnePod("forking", "for i in 1 2 3 4 5; do setsid sleep 1000 & done; "+harness.Forever),
		"done":    harness.OnePod("done", "exit 0", "restartPolicy: Never"),
		"hostnet": harness.OnePod("hostnet", harness.Forever, "hostNetwork: true"),
		"noimage": strings.Replace(harness.OnePod("noimage", "true"), "image: busybox", "image: not/here", 1),
	}
	for name, manifest := range pods {
		b.MustDrop(name, manifest)
	}
	for _, name := range []string{"idle", "two", "forking", "hostnet"} {
		b.Running(name)
	}
	if len(b.Traces()) < 20 {
		t.Fatalf("the running pods leave too few traces for this test to mean something: %v", b.Traces())
	}
	for name := range pods {
		b.MustRemove(name)
	}
	for name := range pods {
		b.Gone(name)
	}
	b.Cleared()
}

// Pods removed while no daemon runs are ended by the next one.
func TestRemovedWhileDead(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("stays", harness.OnePod("stays", harness.Forever))
	b.MustDrop("goes", harness.PodOf("goes", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)))
	stays := b.Running("stays")
	b.Running("goes")
	b.MustKill9()
	b.MustRemove("goes")
	b.MustStart()
	b.Gone("goes")
	if again := b.Running("stays"); harness.ContainerStatus(again, "main").ContainerID != harness.ContainerStatus(stays, "main").ContainerID {
		t.Error("the pod that stayed has another container")
	}
	b.MustRemove("stays")
	b.Gone("stays")
	b.Cleared()
}
