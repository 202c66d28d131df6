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
	Passes  func(id string) bool // it was judged, and may run; nil: all may
	// Pinned is the ID of an image that is there and that the container is to be put back to; "": there is none.
	Pinned string
}

// Want is what is to be done for an image.
type Want int

// What may have to be done.
const (
	WantNothing Want = iota // it is not there, and nobody brings it
	WantStart               // it is there, and may be used
	WantPull                // it is to be pulled
	WantJudge               // it is there, and nobody knows whether it may run
)

// What says what is to be done for an image. can: this board pulls images.
// https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
func What(store Images, q Question, can bool) Want {
	if q.Pinned != "" {
		return q.judged(q.Pinned)
	}
	img, err := store.Get(q.Image)
	there := err == nil && (q.Allowed == nil || q.Allowed(img.ID))
	last := q.last()
	switch {
	case !can, q.Policy == corev1.PullNever:
		if !there {
			return WantNothing
		}
		return q.judged(img.ID)
	case there && store.Brought(img.ID):
		return q.judged(img.ID)
	case there && q.Policy != corev1.PullAlways:
		return q.judged(img.ID)
	case err == nil && last != nil && last.Done && last.For == q.Attempt:
		return q.judged(img.ID) // it has just been pulled, with the pod's own credentials
	}
	return WantPull
}

func (q Question) judged(id string) Want {
	if q.Passes == nil || q.Passes(id) {
		return WantStart
	}
	return WantJudge
}

// last is what is known of pulls of the same image.
func (q Question) last() *state.PullRecord {
	if q.Last != nil && q.Last.Image != q.Image {
		return nil
	}
	return q.Last
}

// Need is What in the words of a plan: a judgement is waited for as a pull is.
func Need(store Images, q Question, can bool) plan.Image {
	switch What(store, q, can) {
	case WantStart:
		return plan.Image{There: true}
	case WantNothing:
		return plan.Image{}
	}
	need := plan.Image{Pull: true, Pulling: q.Pulling}
	if last := q.last(); last != nil {
		need.After = last.NotBefore
	}
	return need
}
