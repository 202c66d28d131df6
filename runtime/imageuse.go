package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"

	"podd/runtime/rollout"
	"podd/runtime/state"
)

// ImageUse is what pods have of the image store: those that run, those between two attempts and those that have ended and
// are still shown.
type ImageUse struct {
	IDs    map[string]bool
	Layers map[string]bool // as folders of the store
}

func newImageUse() ImageUse { return ImageUse{map[string]bool{}, map[string]bool{}} }

func (u *ImageUse) add(rec *state.Record) {
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
	for id := range maps.Values(rec.Pins) {
		u.IDs[id] = true
	}
}

func (u *ImageUse) addLayers(layers []string) {
	for _, layer := range layers {
		u.Layers[layer] = true
	}
}

// addRevisions adds the images of the versions that pods can be put back to.
func (u *ImageUse) addRevisions(m *rollout.Manager) {
	for id := range m.Images() {
		u.IDs[id] = true
	}
}

// imageUse is what the pods use now.
func (r *Runtime) imageUse() ImageUse {
	use := newImageUse()
	for _, p := range r.pods {
		use.add(p.rec)
	}
	use.addRevisions(r.rollout)
	return use
}

// LayersInUse are the layers that the pods use now. It waits for the loop.
func (r *Runtime) LayersInUse(ctx context.Context) (map[string]bool, error) {
	use, lost := newImageUse(), 0
	err := r.call(ctx, func() { use, lost = r.imageUse(), len(r.orphans.containers) })
	if err == nil && lost > 0 {
		err = fmt.Errorf("the records of %d pods that run are lost", lost)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell which images the pods use: %w", err)
	}
	return use.Layers, nil
}

// ReadImageUse reads what the pods of a daemon use that does not run. After an error it is not all of it.
func ReadImageUse(runDir, rootDir string) (ImageUse, error) {
	use := newImageUse()
	recs, bad := state.Store{Dir: filepath.Join(runDir, "pods")}.ReadAll()
	if len(bad) > 0 {
		return use, fmt.Errorf("cannot tell which images the pods use: %w", errors.Join(bad...))
	}
	for _, rec := range recs {
		use.add(rec)
	}
	revisions := rollout.New(rootDir, nil)
	_ = revisions.PeekRevisions() // a version that cannot be read cannot be put back either
	use.addRevisions(revisions)
	return use, nil
}
