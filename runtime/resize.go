package runtime

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/state"
)

// resizeRetry is how long a resize rests that the kernel could not take, because too much memory is in use.
const resizeRetry = 10 * time.Second

func (r *Runtime) handlePodResized(p *pod, o executor.PodResized, now state.Instant) {
	if p.rec.Resize == nil || errors.Is(o.Err, executor.ErrSkipped) {
		return
	}
	if o.Err == nil && o.Object != p.rec.Object {
		return // edited meanwhile: these are not the limits any more
	}
	if o.Err == nil {
		p.rec.Resize.Applied, p.rec.Resize.Error = true, ""
		for _, c := range p.rec.Containers {
			if !c.Changed {
				p.rec.MarkResized(c.Name)
			}
		}
		r.shareOut()
		r.event(p, "", now, corev1.EventTypeNormal, "ResizeCompleted", "Pod resize completed")
		return
	}
	p.rec.Resize.NotBefore = now.After(resizeRetry)
	if p.rec.Resize.Error != o.Err.Error() {
		p.rec.Resize.Error = o.Err.Error()
		r.event(p, "", now, corev1.EventTypeWarning, "ResizeError", o.Err.Error())
	}
}
