package runtime

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func withLimit(memory string) *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)},
	}}}}}
}

// A change of limits that comes while an earlier one is carried out is still to be carried out after it.
func TestResizeDuringAResize(t *testing.T) {
	r := testRuntime(t)
	p := r.with("u1")
	first := withLimit("32Mi")
	p.rec = newRecord("u1", first, readClock())
	p.rec.State = PodRunning
	p.rec.Resize = &ResizeRecord{Before: map[string]corev1.ResourceRequirements{"c": {}}}
	p.rec.Object = withLimit("64Mi")
	r.learnResize(p, msgOutcome{pod: p, outcome: first}, readClock())
	if p.rec.Resize == nil || p.rec.Resize.Applied {
		t.Fatalf("the second change is forgotten: %+v", p.rec.Resize)
	}
}
