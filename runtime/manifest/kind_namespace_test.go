package manifest

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestNamespaces(t *testing.T) {
	const head = "apiVersion: v1\nkind: Namespace\nmetadata: "
	objects, problems := Parse("f", []byte(head+"{name: shop, labels: {team: red, kubernetes.io/metadata.name: liar}, annotations: {a: b}}\nspec: {finalizers: [x.example/y]}\nstatus: {phase: Terminating}\n"))
	if len(problems) > 0 || len(objects) != 1 {
		t.Fatal(problems)
	}
	n := objects[0].Value.(*corev1.Namespace)
	if n.Labels["team"] != "red" || n.Labels[corev1.LabelMetadataName] != "shop" || n.Status.Phase != corev1.NamespaceActive || !slices.Equal(n.Spec.Finalizers, []corev1.FinalizerName{"x.example/y", "kubernetes"}) {
		t.Errorf("%+v", n)
	}
	for text, want := range map[string]string{
		"{name: a.b}":                        `metadata.name: Invalid value: "a.b": must not contain dots`,
		"{name: Shop}":                       `metadata.name: Invalid value: "Shop": a lowercase RFC 1123 label must consist of`,
		"{name: a}\nspec: {finalizers: [x]}": `spec.finalizers: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified`,
		"{name: a, labels: {x: \"a b\"}}":    "metadata.labels",
		"{}":                                 "metadata.name: Required value",
	} {
		if _, problems := Parse("f", []byte(head+text)); len(problems) != 1 || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%s: %v, want %q", text, problems, want)
		}
	}
}
