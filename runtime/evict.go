package runtime

import (
	corev1 "k8s.io/api/core/v1"
)

const reasonEvicted = "Evicted"

// evict fails a pod that takes more of the board than it may. It gets no grace: what it takes may be the last
// there is. It stays to be looked at until its manifest changes.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
func (r *Runtime) evict(p *pod, message string, now Instant) {
	if p.rec.end() != nil || p.rec.State == PodFinished {
		return
	}
	p.rec.Finish = &FinishRecord{Failed: true, Reason: reasonEvicted, Message: message}
	r.event(p, "", now, corev1.EventTypeWarning, reasonEvicted, message)
	r.save(p)
	r.mark(p.rec.UID)
}
