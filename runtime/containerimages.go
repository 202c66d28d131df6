package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/images"
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
