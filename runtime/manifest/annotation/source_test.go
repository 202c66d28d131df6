package annotation

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSource(t *testing.T) {
	controller := true
	owned := []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", Controller: &controller}}
	for _, c := range []struct {
		name string
		meta metav1.ObjectMeta
		file string
		want map[string]string
	}{
		{"from a file", metav1.ObjectMeta{}, "/m/a.yaml", map[string]string{ConfigSourceKey: "file", ManifestKey: "/m/a.yaml"}},
		{"beside its own", metav1.ObjectMeta{Annotations: map[string]string{"a": "b"}}, "f", map[string]string{"a": "b", ConfigSourceKey: "file", ManifestKey: "f"}},
		{"made by a controller", metav1.ObjectMeta{OwnerReferences: owned}, "f", map[string]string{ManifestKey: "f"}},
		{"of no file", metav1.ObjectMeta{}, "", nil},
	} {
		before := maps.Clone(c.meta.Annotations)
		shown := c.meta
		SetSource(&shown, c.file)
		if !maps.Equal(shown.Annotations, c.want) {
			t.Errorf("%s: %v, want %v", c.name, shown.Annotations, c.want)
		}
		DropSource(&shown)
		if !maps.Equal(shown.Annotations, before) || !maps.Equal(c.meta.Annotations, before) {
			t.Errorf("%s: %v is left of %v", c.name, shown.Annotations, before)
		}
	}
}
