package validate

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"podd/runtime/manifest/defaults"
)

// podRow is a pod and what is said of it: nothing of a good one. Unless a row says otherwise, that is what the API server's own
// code says (test/conformance).
type podRow struct {
	name string
	text string // metadata, spec and, if the spec has no containers, the container
	want []string
}

// podOf makes the pod of a row.
func podOf(t *testing.T, text string) *corev1.Pod {
	t.Helper()
	parts := struct {
		Metadata  metav1.ObjectMeta `json:"metadata"`
		Spec      corev1.PodSpec    `json:"spec"`
		Container corev1.Container  `json:"container"`
	}{metav1.ObjectMeta{Name: "p"}, corev1.PodSpec{}, corev1.Container{Name: "c", Image: "x"}}
	if err := yaml.UnmarshalStrict([]byte(text), &parts); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	pod := &corev1.Pod{ObjectMeta: parts.Metadata, Spec: parts.Spec}
	if pod.Spec.Containers == nil {
		pod.Spec.Containers = []corev1.Container{parts.Container}
	}
	defaults.SetPod(pod)
	return pod
}

func checkPods(t *testing.T, rows []podRow) {
	t.Helper()
	t.Parallel()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, err := range Pod(podOf(t, row.text)) {
				got = append(got, err.Error())
			}
			// The order is that of the API server but where it goes through a map.
			slices.Sort(got)
			got = slices.Compact(got) // a sentence is shown once
			if want := slices.Sorted(slices.Values(row.want)); !slices.Equal(got, want) {
				t.Errorf("of %s\ngot  %q\nwant %q", row.text, got, want)
			}
		})
	}
}
