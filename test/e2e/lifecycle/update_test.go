package lifecycle

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// sameButFor fails if the pod, or a container other than those named, is another one than before.
func sameButFor(t *testing.T, before, after *corev1.Pod, restarted ...string) {
	t.Helper()
	if before.UID != after.UID || before.Status.PodIP != after.Status.PodIP {
		t.Errorf("pod %s at %s became %s at %s", before.UID, before.Status.PodIP, after.UID, after.Status.PodIP)
	}
	for _, s := range before.Status.ContainerStatuses {
		now, again := harness.ContainerStatus(after, s.Name), false
		for _, name := range restarted {
			again = again || name == s.Name
		}
		if same := now.ContainerID == s.ContainerID && now.RestartCount == s.RestartCount; same == again {
			t.Errorf("%s: %s with %d restarts became %s with %d", s.Name, s.ContainerID, s.RestartCount, now.ContainerID, now.RestartCount)
		}
	}
}

// A new image restarts its container alone; the pod stays what it is, over a crash and a reboot, and back again.
//
// e2e: MirrorPod (Pod Generation) :: mirror pod updates :: mirror pod: update container image
// e2e: Pods :: should have their auto-restart back-off timer reset on image update [Slow]
func TestImageChangesInPlace(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.LoadImages("variants.tar")
	first := harness.PodOf("web", harness.ContainerOf("main", harness.Forever), harness.ContainerOf("other", harness.Forever))
	b.MustDrop("web", first)
	before := b.Running("web")
	if before.Generation != 1 || before.Status.ObservedGeneration != 1 {
		t.Errorf("generation %d, observed %d", before.Generation, before.Status.ObservedGeneration)
	}
	second := harness.ReplaceImage(first, "podd.test/stopsignal:1")
	b.MustDrop("web", second)
	after := b.WaitPod("web", func(pod *corev1.Pod) string {
		if pod.Generation != 2 || pod.Status.ObservedGeneration != 2 {
			return "it has not been changed"
		}
		if missing := harness.HasRestarted("main", 1)(pod); missing != "" {
			return missing
		}
		return harness.IsRunning(pod)
	})
	sameButFor(t, before, after, "main")
	if got := harness.ContainerStatus(after, "main"); got.Image != "podd.test/stopsignal:1" || got.ImageID == harness.ContainerStatus(before, "main").ImageID {
		t.Errorf("main runs %s %s", got.Image, got.ImageID)
	}
	b.Event("Container main definition changed, will be restarted")
	b.MustKill9()
	b.MustStart()
	sameButFor(t, after, b.Running("web"))
	b.MustReboot()
	b.MustStart()
	if pod := b.Running("web"); pod.UID != before.UID {
		t.Errorf("after a reboot pod %s is %s", before.UID, pod.UID)
	}
	b.MustDrop("web", first)
	b.WaitPod("web", func(pod *corev1.Pod) string {
		if pod.UID != before.UID {
			t.Fatalf("changed back, pod %s is %s", before.UID, pod.UID)
		}
		if harness.ContainerStatus(pod, "main").Image != "busybox" {
			return "it has the old image"
		}
		return harness.IsRunning(pod)
	})
	b.MustRemove("web")
	b.Gone("web")
}

// Labels, annotations and a deadline change nothing that runs.
//
// e2e: MirrorPod (Pod Generation) :: mirror pod updates :: mirror pod: update activeDeadlineSeconds
func TestMetadataChangesInPlace(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	manifest := harness.PodOf("tags", harness.ContainerOf("main", harness.Forever))
	b.MustDrop("tags", manifest)
	before := b.Running("tags")
	b.MustDrop("tags", harness.ReplaceIn(t, manifest, "  name: tags\n", "  name: tags\n  labels: {tier: edge}\n  annotations: {note: hello}\n"))
	after := b.WaitPod("tags", func(pod *corev1.Pod) string {
		if pod.Labels["tier"] != "edge" || pod.Annotations["note"] != "hello" {
			return "it has not been changed"
		}
		return ""
	})
	sameButFor(t, before, after)
	if after.Generation != 1 {
		t.Errorf("generation is %d: metadata is not counted", after.Generation)
	}
	b.MustDrop("tags", harness.ReplaceIn(t, manifest, "spec:\n", "spec:\n  activeDeadlineSeconds: 100000\n"))
	after = b.WaitPod("tags", func(pod *corev1.Pod) string {
		if pod.Spec.ActiveDeadlineSeconds == nil || len(pod.Labels) > 0 {
			return "it has not been changed"
		}
		return ""
	})
	sameButFor(t, before, after)
}

// Limits change in the cgroup of a container that runs on; a resize policy may ask for its restart.
//
// e2e: Pod InPlace Resize Container :: pod-resize :: should resize a pod
func TestResizeInPlace(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	limits := func(memory string) string {
		return "resources: {requests: {memory: 4Mi, cpu: 10m}, limits: {memory: " + memory + ", cpu: 500m}}"
	}
	policy := "\nresizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]"
	manifest := func(memory string) string {
		return harness.PodOf("size", harness.ContainerOf("calm", harness.Forever, limits(memory)), harness.ContainerOf("fresh", harness.Forever, limits(memory)+policy))
	}
	b.MustDrop("size", manifest("160Mi"))
	before := b.Running("size")
	for _, size := range []string{"192Mi", "128Mi"} {
		b.MustDrop("size", manifest(size))
		after := b.WaitPod("size", func(pod *corev1.Pod) string {
			for _, name := range []string{"calm", "fresh"} {
				if r := harness.ContainerStatus(pod, name).Resources; r == nil || r.Limits.Memory().String() != size {
					return name + " has another limit"
				}
			}
			if conditionOf(pod, corev1.PodResizeInProgress).Status == corev1.ConditionTrue {
				return "the resize is in progress"
			}
			return harness.IsRunning(pod)
		})
		sameButFor(t, before, after, "fresh")
		want := after.Spec.Containers[0].Resources.Limits.Memory().Value()
		for _, name := range []string{"calm", "fresh"} {
			if got := memoryLimit(b, "size", name); got != want {
				t.Errorf("%s: the kernel's limit is %d, want %d", name, got, want)
			}
		}
		before = after
	}
	// What is in use is not taken away: the limit waits, and says so.
	b.Sh("size", "calm", "dd if=/dev/zero of=/dev/shm/full bs=1M count=24 2>/dev/null")
	b.MustDrop("size", manifest("16Mi"))
	b.WaitPod("size", func(pod *corev1.Pod) string {
		if c := conditionOf(pod, corev1.PodResizeInProgress); c.Reason != corev1.PodReasonError || !strings.Contains(c.Message, "below current usage") {
			return "the condition is " + c.Reason + ": " + c.Message
		}
		return ""
	})
	if s := harness.ContainerStatus(b.MustPod("size"), "calm"); s.RestartCount != 0 {
		t.Errorf("calm was restarted %d times", s.RestartCount)
	}
}

// memoryLimit is what the kernel has as the limit of a container's cgroup, in bytes.
func memoryLimit(b *harness.Board, pod, container string) int64 {
	b.T.Helper()
	id := strings.TrimPrefix(harness.ContainerStatus(b.MustPod(pod), container).ContainerID, "podd://")
	for _, dir := range b.Cgroup().Below() {
		if filepath.Base(dir) != id {
			continue
		}
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			if fileExists(filepath.Join(dir, name)) {
				limit, err := strconv.ParseInt(readFirst(b, dir, name), 10, 64)
				b.Must(err)
				return limit
			}
		}
	}
	b.T.Fatalf("container %s has no memory cgroup", id)
	return 0
}
