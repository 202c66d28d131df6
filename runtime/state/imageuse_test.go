package state

import (
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// All that a pod may still need of the image store is in use: of its containers, of its volumes and of those that they showed
// before, and of the version that it was put back to.
func TestImageUse(t *testing.T) {
	use := NewImageUse()
	use.Add(&Record{
		Containers: []*ContainerRecord{{ImageID: "id1", Layers: []string{"l1", "l2"}}, {}},
		Volumes:    VolumesRecord{Images: map[string]string{"v": "id2"}, Layers: map[string][]string{"v": {"l2", "l3"}, "before": {"l4"}}},
		Pins:       map[string]string{"c": "id3"},
		Object: &corev1.Pod{Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Image: "n1"}}, Containers: []corev1.Container{{Image: "n2"}},
			Volumes: []corev1.Volume{{}, {VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "n3"}}}},
		}},
	})
	use.AddIDs(slices.Values([]string{"id4"}))
	if ids := slices.Sorted(maps.Keys(use.IDs)); !slices.Equal(ids, []string{"id1", "id2", "id3", "id4"}) {
		t.Errorf("images %v", ids)
	}
	if names := slices.Sorted(maps.Keys(use.Names)); !slices.Equal(names, []string{"n1", "n2", "n3"}) {
		t.Errorf("names %v", names)
	}
	if layers := slices.Sorted(maps.Keys(use.Layers)); !slices.Equal(layers, []string{"l1", "l2", "l3", "l4"}) {
		t.Errorf("layers %v", layers)
	}
}
