package state

import (
	"maps"
	"slices"
	"testing"
)

// All that a pod may still need of the image store is in use: of its containers, of its volumes and of those that they showed
// before, and of the version that it was put back to.
func TestImageUse(t *testing.T) {
	use := NewImageUse()
	use.Add(&Record{
		Containers: []*ContainerRecord{{ImageID: "id1", Layers: []string{"l1", "l2"}}, {}},
		Volumes:    VolumesRecord{Images: map[string]string{"v": "id2"}, Layers: map[string][]string{"v": {"l2", "l3"}, "before": {"l4"}}},
		Pins:       map[string]string{"c": "id3"},
	})
	use.AddIDs(slices.Values([]string{"id4"}))
	if ids := slices.Sorted(maps.Keys(use.IDs)); !slices.Equal(ids, []string{"id1", "id2", "id3", "id4"}) {
		t.Errorf("images %v", ids)
	}
	if layers := slices.Sorted(maps.Keys(use.Layers)); !slices.Equal(layers, []string{"l1", "l2", "l3", "l4"}) {
		t.Errorf("layers %v", layers)
	}
}
