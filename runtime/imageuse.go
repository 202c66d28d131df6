package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"

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

func (u *ImageUse) addRollbacks(rollbacks map[podKey]*rollback) {
	for _, kept := range rollbacks {
		for _, id := range kept.Good.Images {
			u.IDs[id] = true
		}
	}
}

// imageUse is what the pods use now.
func (r *Runtime) imageUse() ImageUse {
	use := newImageUse()
	for _, p := range r.pods {
		use.add(p.rec)
	}
	use.addRollbacks(r.rollbacks)
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
	r := Runtime{Config: Config{RootDir: rootDir}, rollbacks: map[podKey]*rollback{}}
	_ = r.peekRollbacks() // a version that cannot be read cannot be put back either
	use.addRollbacks(r.rollbacks)
	return use, nil
}
