package runtime

import (
	"context"
	"io"

	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/state"
	"podd/runtime/storage"
	"podd/runtime/volume"
)

// refreshVolumes looks again at the volumes of a pod: something that they are made of has changed.
func (r *Runtime) refreshVolumes(p *lifecycle.Pod) {
	if !p.HasVolumes() {
		return
	}
	p.Refresh = true
	p.Record.Volumes.RetryNow()
	r.mark(p.Record.UID)
}

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
	for _, uid := range r.volumes.Strangers(known) {
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

// DeleteClaim removes what a claim holds. One whose manifest stays is bound anew, to an empty folder.
func (b *Backend) DeleteClaim(ctx context.Context, namespace, name string) error {
	var out error
	err := b.call(ctx, func() { out = b.claims.Delete(b.claimView(b.now()), namespace, name) })
	if err != nil {
		return err
	}
	b.disk.Wait() // gone means gone
	return out
}

// BackupClaim writes what a claim holds as a tar archive.
func (b *Backend) BackupClaim(ctx context.Context, namespace, name string, w io.Writer) error {
	a, err := b.claimFolder(ctx, namespace, name, false)
	if err != nil {
		return err
	}
	return volume.Backup(a.Folder, w)
}

// RestoreClaim puts what an archive holds in the place of what a claim holds, whole or not at all.
func (b *Backend) RestoreClaim(ctx context.Context, namespace, name string, in io.Reader) error {
	a, err := b.claimFolder(ctx, namespace, name, true)
	if err != nil {
		return err
	}
	return storage.Restore(a, in, func() error {
		_, err := b.claimFolder(ctx, namespace, name, true)
		return err
	})
}

// claimFolder is where a claim's data is; alone: no pod may use it.
func (b *Backend) claimFolder(ctx context.Context, namespace, name string, alone bool) (a executor.ClaimFolder, err error) {
	callErr := b.call(ctx, func() { a, err = b.claims.DataFolder(b.claimView(b.now()), namespace, name, alone) })
	if callErr != nil {
		return executor.ClaimFolder{}, callErr
	}
	return a, err
}
