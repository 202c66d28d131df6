package lifecycle

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/images/reference"
	"podd/runtime/state"
)

// PullTarget is what an image is pulled for: a container, or else a volume.
type PullTarget struct{ Container, Volume string }

// Pull is one that is under way.
type Pull struct {
	Image  string
	Cancel context.CancelFunc // nobody waits for it any more
}

// Pulled is how a pull came out.
type Pulled struct {
	Image   string        // as the pod names it
	Reason  string        // why it failed, in the kubelet's words; "": it did not
	Message string        // the sentence about that
	After   time.Duration // as the registry has asked: no try before
	Took    time.Duration // the pull itself
	Waited  time.Duration // with the time before its turn
	Size    int64         // bytes of the image
	// Present is why what is on the board is used as it is: the registry could not be asked; "": it was.
	Present string
	// Peers says what came from neighbours; "": nothing did.
	Peers  string
	Judged bool // the image was there, and may run
}

// Images of these kinds of failure are tried again when something else happens, and not after a time alone.
func waitsFor(reason string) bool {
	return reason == state.ReasonClock || reason == state.ReasonImagePullWindow
}

// HandlePulled takes in how a pull came out that Loop.Pull has begun.
func (h *Handler) HandlePulled(p *Pod, target PullTarget, out Pulled, now state.Instant) {
	delete(p.Pulls, target)
	rec := p.pullRecord(target)
	if rec == nil || p.ImageOf(target) != out.Image {
		return // the manifest names another image meanwhile
	}
	switch {
	case out.Reason != "":
		h.pullFailed(p, target, rec, out, now)
	case out.Judged: // nothing has come
		rec.Succeed(out.Image, rec.For)
	case out.Present != "":
		rec.Succeed(out.Image, p.nextAttempt(target))
		h.Event(p, target.Container, now, corev1.EventTypeWarning, "Pulled",
			fmt.Sprintf("Container image %q already present on machine is used as it is: %s", out.Image, out.Present))
	default:
		rec.Succeed(out.Image, p.nextAttempt(target))
		h.Event(p, target.Container, now, corev1.EventTypeNormal, "Pulled", fmt.Sprintf(
			"Successfully pulled image %q in %s (%s including waiting). Image size: %d bytes.",
			out.Image, out.Took.Truncate(time.Millisecond), out.Waited.Truncate(time.Millisecond), out.Size))
		if out.Peers != "" {
			h.Event(p, target.Container, now, corev1.EventTypeNormal, "PulledFromPeer", fmt.Sprintf("Image %q: %s", out.Image, out.Peers))
		}
	}
	if c := p.Record.Container(target.Container); c != nil && out.Reason == "" && c.Waiting != nil && state.IsImageReason(c.Waiting.Reason) {
		c.Waiting = nil
	}
	if target.Volume != "" && out.Reason == "" {
		p.Record.Volumes.RetryNow()
	}
	h.Loop.Save(p)
	h.Loop.Publish(p, now)
	h.Loop.Mark(p)
}

// pullFailed says why an image does not come; the back-off is said when it begins.
func (h *Handler) pullFailed(p *Pod, target PullTarget, rec *state.PullRecord, out Pulled, now state.Instant) {
	before := rec.Reason
	rec.Fail(out.Image, out.Reason, out.Message, out.After, now)
	if waitsFor(out.Reason) {
		if before != out.Reason {
			h.Event(p, target.Container, now, corev1.EventTypeWarning, out.Reason, fmt.Sprintf("Image %q is not pulled yet: %s", out.Image, out.Message))
		}
	} else {
		h.Event(p, target.Container, now, corev1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %s", reference.Hide(out.Image), out.Message))
		h.Event(p, target.Container, now, corev1.EventTypeWarning, "Failed", "Error: "+out.Reason)
	}
	if target.Volume != "" {
		p.Record.Volumes.Error = fmt.Sprintf("volume %q: %s: %s", target.Volume, out.Reason, out.Message)
		rec.Waiting = &state.Waiting{Reason: out.Reason, Message: out.Message}
		return
	}
	p.Record.Container(target.Container).Waiting = &state.Waiting{Reason: out.Reason, Message: out.Message}
}

// handleImageAwaited says that a container does not start because its image, or that of a volume, is not there: nobody may
// pull it, or not yet.
func (h *Handler) handleImageAwaited(p *Pod, target PullTarget, now state.Instant) {
	waiting := h.awaited(p, target, now)
	if target.Volume != "" {
		rec := p.Record.Volumes.Pull(target.Volume)
		rec.Awaited = true
		if waiting != nil {
			rec.Waiting = waiting
			p.Record.Volumes.Error = fmt.Sprintf("volume %q: %s: %s", target.Volume, waiting.Reason, waiting.Message)
		}
		return
	}
	if waiting != nil {
		p.Record.Container(target.Container).Waiting = waiting
	}
}

// awaited says why an image is waited for; nil: what was said last holds.
func (h *Handler) awaited(p *Pod, target PullTarget, now state.Instant) *state.Waiting {
	image, name, what := p.ImageOf(target), target.Container, "Container image"
	policy, pull := p.policyOf(target), (*state.PullRecord)(nil)
	if target.Volume != "" {
		what, pull = "Image volume", p.Record.Volumes.Pulls[target.Volume]
	} else {
		pull = p.Record.Container(name).Pull
	}
	switch {
	case policy == corev1.PullNever && (pull == nil || pull.Reason != state.ReasonSignature):
		text := fmt.Sprintf("%s %q is not present with pull policy of Never; load it with 'podd images load'", what, image)
		h.Event(p, name, now, corev1.EventTypeWarning, state.ReasonImageNever, text)
		return &state.Waiting{Reason: state.ReasonImageNever, Message: text}
	case pull != nil && pull.Reason != "" && !waitsFor(pull.Reason):
		text := fmt.Sprintf("Back-off pulling image %q", reference.Hide(image))
		h.Event(p, name, now, corev1.EventTypeNormal, "BackOff", text)
		h.Event(p, name, now, corev1.EventTypeWarning, "Failed", "Error: "+state.ReasonImageBackOff)
		return &state.Waiting{Reason: state.ReasonImageBackOff, Message: text + ": " + pull.Reason + ": " + pull.Error}
	case pull == nil || pull.Reason == "":
		text := fmt.Sprintf("image %q is not on this board, and images are not pulled; load it with 'podd images load' or put its archive into the folder of images", image)
		h.Event(p, name, now, corev1.EventTypeWarning, "Failed", text)
		return &state.Waiting{Reason: state.ReasonImageBackOff, Message: text}
	}
	return nil
}

// policyOf is the policy by which the image of a container or a volume is pulled.
func (p *Pod) policyOf(target PullTarget) corev1.PullPolicy {
	if target.Volume == "" {
		return p.Record.Spec(target.Container).ImagePullPolicy
	}
	for i := range p.Record.Object.Spec.Volumes {
		if v := &p.Record.Object.Spec.Volumes[i]; v.Name == target.Volume && v.Image != nil {
			return v.Image.PullPolicy
		}
	}
	return ""
}

// CancelPulls lets go of the pulls of a pod that ends, and of those of images that it does not name any more.
func (p *Pod) CancelPulls() {
	ends := p.Record.Ending() != nil
	for target, pull := range p.Pulls {
		if ends || p.ImageOf(target) != pull.Image {
			pull.Cancel()
			delete(p.Pulls, target)
		}
	}
}

// ImageOf is the image that a container or a volume names; "": there is no such thing.
func (p *Pod) ImageOf(target PullTarget) string {
	if target.Volume == "" {
		if spec := p.Record.Spec(target.Container); spec != nil {
			return spec.Image
		}
		return ""
	}
	for i := range p.Record.Object.Spec.Volumes {
		if v := &p.Record.Object.Spec.Volumes[i]; v.Name == target.Volume && v.Image != nil {
			return v.Image.Reference
		}
	}
	return ""
}

// pullRecord is what is known of earlier pulls for the same; nil: there is no such container.
func (p *Pod) pullRecord(target PullTarget) *state.PullRecord {
	if target.Volume != "" {
		return p.Record.Volumes.Pull(target.Volume)
	}
	c := p.Record.Container(target.Container)
	if c == nil {
		return nil
	}
	if c.Pull == nil {
		c.Pull = &state.PullRecord{}
	}
	return c.Pull
}

func (p *Pod) nextAttempt(target PullTarget) int {
	if c := p.Record.Container(target.Container); c != nil {
		return c.NextAttempt()
	}
	return 0
}
