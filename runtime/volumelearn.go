package runtime

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/state"
	"podd/runtime/volume"
)

// The delays between tries of a pod's volumes are the kubelet's.
const (
	volumeBackoffFirst = 500 * time.Millisecond
	volumeBackoffMax   = 2*time.Minute + 2*time.Second
)

func hasVolumes(rec *state.Record) bool { return len(rec.Object.Spec.Volumes) > 0 }

func (r *Runtime) handleVolumesEnsured(p *pod, o executor.VolumesEnsured, now state.Instant) {
	rec := &p.rec.Volumes
	if o.Err == nil {
		*rec = state.VolumesRecord{Ready: true, Folders: o.Folders, Images: o.Images, Layers: rec.Layers}
		p.refresh = false
		r.showEphemeral(p)
		return
	}
	if errors.Is(o.Err, executor.ErrSkipped) {
		return
	}
	delay := max(rec.Backoff, volumeBackoffFirst)
	rec.Backoff, rec.NotBefore, rec.Error = min(2*delay, volumeBackoffMax), now.After(delay), o.Err.Error()
	if p.refresh { // something has come since
		p.refresh, rec.NotBefore = false, 0
	}
	r.event(p, "", now, corev1.EventTypeWarning, "FailedMount", o.Err.Error())
}

// handleVolumesRefreshed takes in that the files of a pod's volumes are up to date. What is missing is not tried again before
// it comes; anything else is.
func (r *Runtime) handleVolumesRefreshed(p *pod, o executor.VolumesRefreshed, now state.Instant) {
	if o.Err == nil || errors.Is(o.Err, executor.ErrSkipped) {
		return
	}
	r.event(p, "", now, corev1.EventTypeWarning, "FailedMount", o.Err.Error())
	if !errors.Is(o.Err, volume.ErrNotFound) {
		p.refresh, p.retry = true, now.After(retryDelay)
	}
}

// refreshVolumes looks again at the volumes of a pod: something that they are made of has changed.
func (r *Runtime) refreshVolumes(p *pod) {
	if !hasVolumes(p.rec) {
		return
	}
	p.refresh = true
	p.rec.Volumes.NotBefore, p.rec.Volumes.Backoff = 0, 0
	r.mark(p.rec.UID)
}

// reportFailedKill reports what keeps a pod from going; it is tried again until it goes.
func (r *Runtime) reportFailedKill(p *pod, err error, now state.Instant) {
	if err != nil && !errors.Is(err, executor.ErrSkipped) {
		r.event(p, "", now, corev1.EventTypeWarning, "FailedKillPod", "error killing pod: "+err.Error())
	}
}

// catchUpVolumes brings the volumes of adopted pods up to date.
func (r *Runtime) catchUpVolumes() {
	for _, p := range r.pods {
		if p.rec.Volumes.Ready {
			r.showEphemeral(p)
		}
		r.refreshVolumes(p) // what it is made of may have gone meanwhile, too
	}
}

// sweepVolumes removes what pods have left on disk whose manifests went while no daemon was there to see it.
func (r *Runtime) sweepVolumes() {
	known := map[string]bool{}
	for uid := range r.pods {
		known[string(uid)] = true
	}
	for _, m := range r.desired {
		known[string(m.Object.UID)] = true
	}
	for _, uid := range r.volumes.Strangers(known) {
		r.disk.Do(func() {
			if err := r.volumes.Remove(uid); err != nil {
				r.Log.Error("cannot remove the volumes of a pod that is gone", "uid", uid, "error", err)
			}
		})
	}
}

// waitsForClaim says of a pod that its volumes may come with a change of any claim, volume or class.
func waitsForClaim(p *pod) bool {
	if p.rec.Volumes.Ready {
		return false
	}
	for i := range p.rec.Object.Spec.Volumes {
		if p.rec.Object.Spec.Volumes[i].PersistentVolumeClaim != nil {
			return true
		}
	}
	return false
}
