package runtime

import (
	"errors"
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/runtime/container/spec"
	"podd/runtime/rollout"
	"podd/runtime/state"
)

// imageOf is the image that a container runs from; a name may have been given to another one since.
func (r *Runtime) imageOf(rec *state.Record, name string) (images.Image, error) {
	if image, err := r.Images.Get(rec.Container(name).ImageID); err == nil {
		return image, nil
	}
	return r.imageFor(rec, name)
}

// stopSignal is what a container is asked to end with: its own, the image's, or TERM. KEP-4960
func (r *Runtime) stopSignal(rec *state.Record, name string) string {
	if l := rec.Spec(name).Lifecycle; l != nil && l.StopSignal != nil {
		return string(*l.StopSignal)
	}
	if image, err := r.imageOf(rec, name); err == nil && image.Config.StopSignal != "" {
		return image.Config.StopSignal
	}
	return string(corev1.SIGTERM)
}

// imageFor is the image that a container's next attempt runs from.
func (r *Runtime) imageFor(rec *state.Record, name string) (images.Image, error) {
	if pin := rec.Pins[name]; pin != "" {
		if image, err := r.Images.Get(pin); err == nil {
			return image, nil
		}
	}
	return r.Images.Get(rec.Spec(name).Image)
}

// imageUse is what the pods use now.
func (r *Runtime) imageUse() state.ImageUse {
	use := state.NewImageUse()
	for _, p := range r.pods {
		use.Add(p.Record)
	}
	use.AddIDs(r.rollout.Images())
	return use
}

// ReadImageUse reads what the pods of a daemon use that does not run. After an error it is not all of it.
func ReadImageUse(runDir, rootDir string) (state.ImageUse, error) {
	use := state.NewImageUse()
	recs, bad := state.Store{Dir: filepath.Join(runDir, "pods")}.ReadAll()
	if len(bad) > 0 {
		return use, fmt.Errorf("cannot tell which images the pods use: %w", errors.Join(bad...))
	}
	for _, rec := range recs {
		use.Add(rec)
	}
	revisions := rollout.New(rootDir, nil)
	_ = revisions.PeekRevisions() // a version that cannot be read cannot be put back either
	use.AddIDs(revisions.Images())
	return use, nil
}

// execConfig is the configuration that the current attempt of a container was started with.
func (r *Runtime) execConfig(rec *state.Record, c *state.ContainerRecord) (*spec.Config, error) {
	image, err := r.imageOf(rec, c.Name)
	if err != nil {
		return nil, err
	}
	config := r.executor.ExecConfig(rec, c, image)
	config.Rlimits = r.settings.Load().Rlimits
	return config, nil
}
