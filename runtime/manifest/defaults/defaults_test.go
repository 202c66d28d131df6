package defaults

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestPullPolicy(t *testing.T) {
	tests := map[string]corev1.PullPolicy{
		"busybox": "Always", "busybox:latest": "Always", "busybox:1": "IfNotPresent", "r:5000/busybox": "Always",
		"r:5000/busybox:1": "IfNotPresent", "busybox@sha256:00": "IfNotPresent", "busybox:latest@sha256:00": "Always", "": "Always",
	}
	for image, want := range tests {
		if got := pullPolicyOf(image); got != want {
			t.Errorf("%q is pulled %s, want %s", image, got, want)
		}
	}
}
