package runtime

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/executor"
	"podd/runtime/state"
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
	p.rec = state.NewRecord("u1", first, state.Now())
	p.rec.State = state.PodRunning
	p.rec.Resize = &state.ResizeRecord{Before: map[string]corev1.ResourceRequirements{"c": {}}}
	p.rec.Object = withLimit("64Mi")
	r.handlePodResized(p, executor.PodResized{Object: first}, state.Now())
	if p.rec.Resize == nil || p.rec.Resize.Applied {
		t.Fatalf("the second change is forgotten: %+v", p.rec.Resize)
	}
}
