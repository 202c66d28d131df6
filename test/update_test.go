package test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// replaceIn changes a manifest and fails if there is nothing to change.
func replaceIn(t *testing.T, manifest, from, to string) string {
	t.Helper()
	if !strings.Contains(manifest, from) {
		t.Fatalf("the manifest has no %q:\n%s", from, manifest)
	}
	return strings.Replace(manifest, from, to, 1)
}

// sameButFor fails if the pod, or a container other than those named, is another one than before.
func sameButFor(t *testing.T, before, after *corev1.Pod, restarted ...string) {
	t.Helper()
	if before.UID != after.UID || before.Status.PodIP != after.Status.PodIP {
		t.Errorf("pod %s at %s became %s at %s", before.UID, before.Status.PodIP, after.UID, after.Status.PodIP)
	}
	for _, s := range before.Status.ContainerStatuses {
		now, again := containerStatus(after, s.Name), false
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
	b := newBoard(t)
	b.loadImages("variants.tar")
	first := podOf("web", containerOf("main", forever), containerOf("other", forever))
	b.drop("web", first)
	before := b.running("web")
	if before.Generation != 1 || before.Status.ObservedGeneration != 1 {
		t.Errorf("generation %d, observed %d", before.Generation, before.Status.ObservedGeneration)
	}
	second := replaceImage(first, "podd.test/stopsignal:1")
	b.drop("web", second)
	after := b.wait("web", func(pod *corev1.Pod) string {
		if pod.Generation != 2 || pod.Status.ObservedGeneration != 2 {
			return "it has not been changed"
		}
		if missing := hasRestarted("main", 1)(pod); missing != "" {
			return missing
		}
		return isRunning(pod)
	})
	sameButFor(t, before, after, "main")
	if got := containerStatus(after, "main"); got.Image != "podd.test/stopsignal:1" || got.ImageID == containerStatus(before, "main").ImageID {
		t.Errorf("main runs %s %s", got.Image, got.ImageID)
	}
	b.event("Container main definition changed, will be restarted")
	b.kill9()
	b.start()
	sameButFor(t, after, b.running("web"))
	b.reboot()
	b.start()
	if pod := b.running("web"); pod.UID != before.UID {
		t.Errorf("after a reboot pod %s is %s", before.UID, pod.UID)
	}
	b.drop("web", first)
	b.wait("web", func(pod *corev1.Pod) string {
		if pod.UID != before.UID {
			t.Fatalf("changed back, pod %s is %s", before.UID, pod.UID)
		}
		if containerStatus(pod, "main").Image != "busybox" {
			return "it has the old image"
		}
		return isRunning(pod)
	})
	b.remove("web")
	b.gone("web")
}

// Labels, annotations and a deadline change nothing that runs.
//
// e2e: MirrorPod (Pod Generation) :: mirror pod updates :: mirror pod: update activeDeadlineSeconds
func TestMetadataChangesInPlace(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	manifest := podOf("tags", containerOf("main", forever))
	b.drop("tags", manifest)
	before := b.running("tags")
	b.drop("tags", replaceIn(t, manifest, "  name: tags\n", "  name: tags\n  labels: {tier: edge}\n  annotations: {note: hello}\n"))
	after := b.wait("tags", func(pod *corev1.Pod) string {
		if pod.Labels["tier"] != "edge" || pod.Annotations["note"] != "hello" {
			return "it has not been changed"
		}
		return ""
	})
	sameButFor(t, before, after)
	if after.Generation != 1 {
		t.Errorf("generation is %d: metadata is not counted", after.Generation)
	}
	b.drop("tags", replaceIn(t, manifest, "spec:\n", "spec:\n  activeDeadlineSeconds: 100000\n"))
	after = b.wait("tags", func(pod *corev1.Pod) string {
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
	b := newBoard(t)
	limits := func(memory string) string {
		return "resources: {requests: {memory: 4Mi, cpu: 10m}, limits: {memory: " + memory + ", cpu: 500m}}"
	}
	policy := "\nresizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]"
	manifest := func(memory string) string {
		return podOf("size", containerOf("calm", forever, limits(memory)), containerOf("fresh", forever, limits(memory)+policy))
	}
	b.drop("size", manifest("160Mi"))
	before := b.running("size")
	for _, size := range []string{"192Mi", "128Mi"} {
		b.drop("size", manifest(size))
		after := b.wait("size", func(pod *corev1.Pod) string {
			for _, name := range []string{"calm", "fresh"} {
				if r := containerStatus(pod, name).Resources; r == nil || r.Limits.Memory().String() != size {
					return name + " has another limit"
				}
			}
			if conditionOf(pod, corev1.PodResizeInProgress).Status == corev1.ConditionTrue {
				return "the resize is in progress"
			}
			return isRunning(pod)
		})
		sameButFor(t, before, after, "fresh")
		want := after.Spec.Containers[0].Resources.Limits.Memory().Value()
		for _, name := range []string{"calm", "fresh"} {
			if got := b.memoryLimit("size", name); got != want {
				t.Errorf("%s: the kernel's limit is %d, want %d", name, got, want)
			}
		}
		before = after
	}
	// What is in use is not taken away: the limit waits, and says so.
	b.sh("size", "calm", "dd if=/dev/zero of=/dev/shm/full bs=1M count=24 2>/dev/null")
	b.drop("size", manifest("16Mi"))
	b.wait("size", func(pod *corev1.Pod) string {
		if c := conditionOf(pod, corev1.PodResizeInProgress); c.Reason != corev1.PodReasonError || !strings.Contains(c.Message, "below current usage") {
			return "the condition is " + c.Reason + ": " + c.Message
		}
		return ""
	})
	if s := containerStatus(b.pod("size"), "calm"); s.RestartCount != 0 {
		t.Errorf("calm was restarted %d times", s.RestartCount)
	}
}

// memoryLimit is what the kernel has as the limit of a container's cgroup, in bytes.
func (b *Board) memoryLimit(pod, container string) int64 {
	b.t.Helper()
	id := strings.TrimPrefix(containerStatus(b.pod(pod), container).ContainerID, "podd://")
	for _, dir := range b.Cgroup().Below() {
		if filepath.Base(dir) != id {
			continue
		}
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			if fileExists(filepath.Join(dir, name)) {
				limit, err := strconv.ParseInt(readFirst(b, dir, name), 10, 64)
				b.must(err)
				return limit
			}
		}
	}
	b.t.Fatalf("container %s has no memory cgroup", id)
	return 0
}
