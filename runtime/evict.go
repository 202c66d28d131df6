package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
	"podd/runtime/status"
)

// evict fails a pod that takes more of the board than it may. It gets no grace: what it takes may be the last
// there is. It stays to be looked at until its manifest changes.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
func (r *Runtime) evict(p *pod, message string, now state.Instant) {
	if p.rec.Ending() != nil || p.rec.State == state.PodFinished {
		return
	}
	p.rec.Finish = &state.FinishRecord{Failed: true, Reason: status.ReasonEvicted, Message: message}
	r.event(p, "", now, corev1.EventTypeWarning, status.ReasonEvicted, message)
	r.save(p)
	r.mark(p.rec.UID)
}
