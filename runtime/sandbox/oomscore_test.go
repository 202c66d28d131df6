package sandbox

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestOOMScoreAdj(t *testing.T) {
	const capacity = 1 << 30
	full := map[string]string{"cpu": "1", "memory": "256Mi"}
	for _, tc := range []struct {
		name string
		r    corev1.ResourceRequirements
		want int
	}{
		{"best effort", corev1.ResourceRequirements{}, 1000},
		{"guaranteed", requirements(full, full), -997},
		{"a quarter of the board", requirements(full, nil), 750},
		{"more than the board", requirements(map[string]string{"memory": "2Gi"}, nil), 3},
		{"next to nothing", requirements(map[string]string{"memory": "1"}, nil), 999},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: tc.r}}}}
		if got := OOMScoreAdj(p, &p.Spec.Containers[0], capacity); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}
