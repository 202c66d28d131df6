package state

import (
	"iter"
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// ImageUse is what pods have of the image store: those that run, those between two attempts and those that have ended and
// are still shown.
type ImageUse struct {
	IDs    map[string]bool
	Layers map[string]bool // as folders of the store
	Names  map[string]bool // as pods name them: what they may start from next
}

// NewImageUse is the use of no pod.
func NewImageUse() ImageUse { return ImageUse{map[string]bool{}, map[string]bool{}, map[string]bool{}} }

// Add adds what a pod uses.
func (u *ImageUse) Add(rec *Record) {
	for _, c := range rec.Containers {
		if c.ImageID != "" {
			u.IDs[c.ImageID] = true
		}
		u.addLayers(c.Layers)
	}
	for name, id := range rec.Volumes.Images {
		u.IDs[id] = true
		u.addLayers(rec.Volumes.Layers[name])
	}
	for _, layers := range rec.Volumes.Layers {
		u.addLayers(layers)
	}
	u.AddIDs(maps.Values(rec.Pins))
	if rec.Object != nil {
		u.AddSpec(&rec.Object.Spec)
	}
}

// AddSpec adds the images that a pod names.
func (u *ImageUse) AddSpec(spec *corev1.PodSpec) {
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			u.Names[list[i].Image] = true
		}
	}
	for i := range spec.Volumes {
		if image := spec.Volumes[i].Image; image != nil && image.Reference != "" {
			u.Names[image.Reference] = true
		}
	}
}

// AddIDs adds images by their IDs.
func (u *ImageUse) AddIDs(ids iter.Seq[string]) {
	for id := range ids {
		u.IDs[id] = true
	}
}

func (u *ImageUse) addLayers(layers []string) {
	for _, layer := range layers {
		u.Layers[layer] = true
	}
}
