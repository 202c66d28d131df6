package daemon

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestSummary(t *testing.T) {
	pod := func(phase corev1.PodPhase) *corev1.Pod { return &corev1.Pod{Status: corev1.PodStatus{Phase: phase}} }
	for _, tt := range []struct {
		pods    []*corev1.Pod
		problem string
		want    string
	}{
		{nil, "", "No pods"},
		{[]*corev1.Pod{pod(corev1.PodPending), pod(corev1.PodRunning), pod(corev1.PodRunning)}, "", "Pods: 2 running, 1 pending"},
		{[]*corev1.Pod{pod(corev1.PodFailed)}, "bad", "Pods: 1 failed; bad"},
	} {
		if got := summary(tt.pods, tt.problem); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestConfigThatCannotBeRead: what stands in the place of the file, or leads from it to where nothing answers or ends,
// keeps no podd from starting.
