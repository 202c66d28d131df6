package runtime

import (
	"podd/runtime/lifecycle"
	"podd/runtime/state"
	"podd/runtime/storage"
)

// catchUpVolumes brings the volumes of adopted pods up to date.
func (r *Runtime) catchUpVolumes() {
	for _, p := range r.pods {
		if p.Record.Volumes.Ready {
			r.claims.ShowEphemeral(p.Record)
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
	for _, uid := range r.volumes.Orphans(known) {
		r.disk.Do(func() {
			if err := r.volumes.Remove(uid); err != nil {
				r.Log.Error("cannot remove the volumes of a pod that is gone", "uid", uid, "error", err)
			}
		})
	}
}

// claimView is what claims depend on, as it is now.
func (r *Runtime) claimView(now state.Instant) storage.View {
	v := storage.View{Now: now, Pods: func(yield func(*state.Record) bool) {
		for _, p := range r.pods {
			if !yield(p.Record) {
				return
			}
		}
	}}
	if r.scanned {
		v.Manifests = &r.folderNow
	}
	return v
}

// freeClaims looks again at what waited for the end of a pod: a claim to go with it, a pod to have its claim alone.
func (r *Runtime) freeClaims(p *lifecycle.Pod) {
	r.claims.HideEphemeral(p.Record)
	if len(p.Record.Volumes.Folders) == 0 {
		return
	}
	r.claims.Bind(r.claimView(r.now()))
	for _, other := range r.pods {
		if storage.WaitsForClaim(other.Record) {
			r.refreshVolumes(other)
		}
	}
}
