package state

import (
	"iter"
	"maps"
)

// ImageUse is what pods have of the image store: those that run, those between two attempts and those that have ended and
// are still shown.
type ImageUse struct {
	IDs    map[string]bool
	Layers map[string]bool // as folders of the store
}

// NewImageUse is the use of no pod.
func NewImageUse() ImageUse { return ImageUse{map[string]bool{}, map[string]bool{}} }

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
