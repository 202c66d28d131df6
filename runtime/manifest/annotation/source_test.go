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
		if c.file != "" {
			with := shown
			SetHandler(&with, "h")
			SetUsers(&with, "its own")
			if with.Annotations[HandlerKey] != "h" || with.Annotations[UsersKey] != "its own" || len(with.Annotations) != len(c.want)+2 {
				t.Errorf("%s: %v with a handler and users", c.name, with.Annotations)
			}
			DropSource(&with)
			if !maps.Equal(with.Annotations, before) {
				t.Errorf("%s: %v is left of %v", c.name, with.Annotations, before)
			}
		}
		if !maps.Equal(shown.Annotations, c.want) {
			t.Errorf("%s: %v, want %v", c.name, shown.Annotations, c.want)
		}
		DropSource(&shown)
		if !maps.Equal(shown.Annotations, before) || !maps.Equal(c.meta.Annotations, before) {
			t.Errorf("%s: %v is left of %v", c.name, shown.Annotations, before)
		}
	}
}

// What was added is taken away also when it is alone.
func TestDropUsersAlone(t *testing.T) {
	for _, add := range []func(*metav1.ObjectMeta){func(m *metav1.ObjectMeta) { SetUsers(m, "its own") }, func(m *metav1.ObjectMeta) { SetHandler(m, "h") }} {
		var m metav1.ObjectMeta
		add(&m)
		if DropSource(&m); m.Annotations != nil {
			t.Errorf("%v is left", m.Annotations)
		}
	}
}
