package runtime

import (
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/lifecycle"
	"podd/runtime/state"
	"podd/runtime/storage"
)

// podVolumes follows what claims and volumes of pods come to.
type podVolumes struct{ r *Runtime }

// catchUpVolumes brings the volumes of adopted pods up to date.
func (pv podVolumes) catchUpVolumes() {
	for _, p := range pv.r.pods {
		if p.Record.Volumes.Ready {
			pv.r.claims.ShowEphemeral(p.Record)
		}
		pv.r.refreshVolumes(p) // what it is made of may have gone meanwhile, too
	}
}

// shareMounted looks again at a pod that waits for an NFS server: its mount has come to an end, good or bad. Any goroutine may
// call it.
func (pv podVolumes) shareMounted(target string) {
	uid := types.UID(pv.r.volumes.PodOf(target))
	pv.r.inbox.put(msgCall{done: make(chan struct{}), fn: func() {
		if p := pv.r.pods[uid]; p != nil {
			pv.r.refreshVolumes(p)
		}
	}})
}

// sweepVolumes removes what pods have left on disk whose manifests went while no daemon was there to see it.
func (pv podVolumes) sweepVolumes() {
	known := map[string]bool{}
	for uid := range pv.r.pods {
		known[string(uid)] = true
	}
	for _, m := range pv.r.desired {
		known[string(m.Object.UID)] = true
	}
	for _, uid := range pv.r.volumes.Orphans(known) {
		pv.r.disk.Do(func() {
			if err := pv.r.volumes.Remove(uid); err != nil {
				pv.r.Log.Error("cannot remove the volumes of a pod that is gone", "uid", uid, "error", err)
			}
		})
	}
}

// claimView is what claims depend on, as it is now.
func (pv podVolumes) claimView(now state.Instant) storage.View {
	v := storage.View{Now: now, Pods: func(yield func(*state.Record) bool) {
		for _, p := range pv.r.pods {
			if !yield(p.Record) {
				return
			}
		}
	}}
	if pv.r.scanned {
		v.Manifests = &pv.r.folderNow
	}
	return v
}

// freeClaims looks again at what waited for the end of a pod: a claim to go with it, a pod to have its claim alone.
func (pv podVolumes) freeClaims(p *lifecycle.Pod) {
	pv.r.claims.HideEphemeral(p.Record)
	if len(p.Record.Volumes.Folders) == 0 {
		return
	}
	pv.r.claims.Bind(pv.claimView(pv.r.now()))
	for _, other := range pv.r.pods {
		if storage.WaitsForClaim(other.Record) {
			pv.r.refreshVolumes(other)
		}
	}
}
