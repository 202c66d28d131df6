package storage

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/state"
)

// A pod whose emptyDirs grow is looked at often, one at rest ever less often, and one that the file system holds never.
func TestUsage(t *testing.T) {
	limit := resource.MustParse("1Mi")
	limited := &state.Record{Object: &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{
		{VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}},
		{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}}},
	}}}}
	var u Usage
	if next, due := u.Next(limited); next != 0 || !due {
		t.Errorf("at first: %s, %t", next, due)
	}
	for i, c := range []struct {
		used int64
		wait time.Duration
	}{{1, 10}, {1, 20}, {1, 40}, {1, 60}, {1, 60}, {2, 10}, {2, 20}, {1, 10}} {
		now := state.Instant{Mono: state.BootTime(time.Duration(100*i) * time.Second)}
		u.Take(c.used, false, now)
		if next, due := u.Next(limited); next != now.After(c.wait*time.Second) || !due {
			t.Errorf("%d: %s, %t", i, next, due)
		}
	}
	if _, due := u.Next(&state.Record{Object: &corev1.Pod{}}); due {
		t.Error("a pod without limits is looked at")
	}
	u.Take(1, true, state.Now())
	if _, due := u.Next(limited); due {
		t.Error("a pod that the file system holds is looked at")
	}
}
