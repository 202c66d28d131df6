// Package imagepull pulls images for pods: when one is needed, with which credentials, who may use one that is there, and
// the pull itself.
//
// Need and its like are pure and belong to the loop; a Puller works away from it and answers with a Result.
package imagepull

import (
	corev1 "k8s.io/api/core/v1"

	"podd/images"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// Images is the store, as the loop looks at it.
type Images interface {
	Get(ref string) (images.Image, error)
	// Brought says of an image that an archive in the folder of images has brought it: it is what the board's owner wants.
	Brought(id string) bool
}

// Question is about one image that a container or a volume needs.
type Question struct {
	Image   string // as the pod names it
	Policy  corev1.PullPolicy
	Attempt int                  // that it is for
	Last    *state.PullRecord    // nil: it was never pulled for this
	Pulling bool                 // it is being pulled
	Allowed func(id string) bool // the pod may use it as it is; nil: everybody may
}

// Need says whether an image is there to be used, and whether it is to be pulled first. can: this board pulls images.
// https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
func Need(store Images, q Question, can bool) plan.Image {
	img, err := store.Get(q.Image)
	there := err == nil && (q.Allowed == nil || q.Allowed(img.ID))
	last := q.Last
	if last != nil && last.Image != q.Image {
		last = nil // of another image
	}
	switch {
	case !can, q.Policy == corev1.PullNever:
		return plan.Image{There: there}
	case there && store.Brought(img.ID):
		return plan.Image{There: true}
	case there && q.Policy != corev1.PullAlways:
		return plan.Image{There: true}
	case err == nil && last != nil && last.Done && last.For == q.Attempt:
		return plan.Image{There: true} // it has just been pulled, with the pod's own credentials
	}
	need := plan.Image{Pull: true, Pulling: q.Pulling}
	if last != nil {
		need.After = last.NotBefore
	}
	return need
}
