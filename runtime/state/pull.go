package state

import (
	"time"
)

// PullRecord is what is known of pulling the image of a container or of a volume.
type PullRecord struct {
	Image     string        `json:"image"`               // the reference that it is about
	Done      bool          `json:"done,omitempty"`      // it was pulled, or what is there is to be used
	For       int           `json:"for,omitempty"`       // the attempt that it was pulled for
	Reason    string        `json:"reason,omitempty"`    // why the last try failed: ErrImagePull and others
	Error     string        `json:"error,omitempty"`     // the sentence about that
	Waiting   *Waiting      `json:"waiting,omitempty"`   // of a volume's image: what its containers wait for
	Awaited   bool          `json:"awaited,omitempty"`   // of a volume's image: it was said that it is awaited
	Backoff   time.Duration `json:"backoff,omitempty"`   // before the next try
	NotBefore BootTime      `json:"notBefore,omitempty"` // since boot
}

// The back-off of pulls is the kubelet's.
// https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
const (
	pullBackoffFirst = 10 * time.Second
	pullBackoffLast  = 300 * time.Second
)

// Fail takes in that a pull has failed, and says when the next one is due: not before what the registry has asked for.
func (p *PullRecord) Fail(image, reason, sentence string, after time.Duration, now Instant) {
	next := pullBackoffFirst
	if p.Image == image && p.Backoff > 0 {
		next = min(2*p.Backoff, pullBackoffLast)
	}
	*p = PullRecord{Image: image, Reason: reason, Error: sentence, Backoff: next, NotBefore: now.After(max(next, after))}
}

// Succeed takes in that an image was pulled for an attempt.
func (p *PullRecord) Succeed(image string, attempt int) {
	*p = PullRecord{Image: image, Done: true, For: attempt}
}

// RetryNow lets the next try come at once: what it depends on has changed.
func (p *PullRecord) RetryNow() { p.NotBefore, p.Backoff = 0, 0 }
