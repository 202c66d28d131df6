package runtime

import (
	"errors"
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/adoption"
	"podd/runtime/controller"
	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/rollout"
	"podd/runtime/state"
)

// adopter takes over what an earlier daemon has left, once, at the start.
type adopter struct{ r *Runtime }

// adopt takes over what an earlier daemon left: a crash, an upgrade and a restart look the same from here.
func (ad adopter) adopt(now state.Instant) error {
	if err := ad.r.storage.Start(); err != nil {
		ad.r.Log.Error("podd starts without all that it needs", "error", err)
	}
	ad.r.watchCgroups()
	ad.r.network.restoreNames()
	ad.r.scheduling.readCordon()
	ad.r.disk.Restored(ad.r.rollout.ReadAliases(), "which pods were changed in place follows from those that run")
	ad.r.disk.Restored(ad.r.claims.Read(), "what claims are bound to follows from their folders and from the pods that run; others wait")
	ad.r.disk.SetAside(ad.r.rollout.PeekRevisions(), "the version before, to which a pod could be put back")
	recs, bad := ad.r.records.ReadAll()
	ad.r.disk.SetAside(bad, lostRecord)
	ad.r.kernel.receive()
	for _, rec := range recs {
		p := lifecycle.NewPod(rec)
		ad.r.pods[rec.UID] = p
		ad.r.lifecycle.Adopt(p, now)
		ad.r.lifecycle.CheckCgroups(p, now)
		ad.r.save(p)
		ad.r.mark(rec.UID)
	}
	// What a Job has counted is kept before the ends of its pods are: those are not told from others once they are counted.
	ad.r.workloads.readWorkloads(now)
	for _, rec := range recs {
		ad.adoptFinished(ad.r.pods[rec.UID])
	}
	var err error
	if ad.r.orphans, err = adoption.FindOrphans(ad.r.kernel, func(uid types.UID) bool { return ad.r.pods[uid] != nil }); err != nil {
		ad.r.Log.Error("cannot look for containers without a record", "error", err)
	}
	ad.r.disk.Wait()
	ad.r.resolver.readResolver()
	ad.r.services.ReadAllocations()
	ad.r.network.restoreNetwork(now)
	ad.r.kernel.dropUnclaimed(ad.r.orphans.Own)
	ad.removeRemains()
	ad.awaitExits()
	ad.r.devices.adopt()
	ad.r.shares.update()
	return nil
}

// adoptFinished writes the end of a pod whose daemon died before it had, or of which the file is lost or older than the
// record.
func (ad adopter) adoptFinished(p *lifecycle.Pod) {
	if p.Record.State != state.PodFinished {
		return
	}
	if p.Record.Kept {
		same, err := ad.r.finished.Check(p.Record)
		if err == nil && same {
			return
		}
		if err != nil {
			ad.r.disk.SetAside([]error{err}, "it is written again")
			p.Record.Kept = false
		}
	}
	ad.r.saveFinished(p)
}

// awaitExits listens for the ends of adopted containers where their pidfds will not tell.
func (ad adopter) awaitExits() {
	var pids []int
	for _, p := range ad.r.pods {
		for _, c := range p.Record.Containers {
			if c.State.Alive() {
				pids = append(pids, c.PID)
			}
		}
	}
	ad.r.kernel.awaitExits(pids)
}

const lostRecord = "what runs of the pod goes on, and what is known of it begins anew"

// LastKnown reads from the records of an earlier daemon which pods it ran, so that a manifest that turned bad
// while no daemon lived still has a last good version.
func LastKnown(runDir string) []manifest.Pod {
	recs, _ := state.Store{Dir: filepath.Join(runDir, "pods")}.ReadAll()
	var list []manifest.Pod
	for _, rec := range recs {
		if rec.Stop == nil && !rec.Made {
			list = append(list, manifest.Pod{Object: rec.Object, File: rec.File, Doc: rec.Doc, Hash: rec.Hash, Since: rec.Since, RuntimeClass: rec.RuntimeClass})
		}
	}
	return list
}

// removeRemains takes away what no record and no orphan has.
func (ad adopter) removeRemains() {
	var keep adoption.Keep
	for _, p := range ad.r.pods {
		keep.Record(p.Record, func(name string) bool { return p.IO[name] != nil })
	}
	keep.Orphans(&ad.r.orphans)
	if err := ad.r.remains.Remove(keep); err != nil {
		ad.r.Log.Error("cannot remove all remains", "error", err)
	}
}

// adoptOrphan gives a pod whose record is lost a new one, if it is an orphan.
func (ad adopter) adoptOrphan(m *manifest.Pod, now state.Instant) *lifecycle.Pod {
	rec := ad.r.orphans.TakeRecord(ad.r.kernel, executor.LogFolders{Paths: ad.r.paths}, m, now)
	if rec == nil {
		return nil
	}
	p := lifecycle.NewPod(rec)
	ad.r.pods[rec.UID] = p
	ad.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "RecordLost",
		fmt.Sprintf("The record of pod %q was lost; it runs on, and what is known of it begins anew", rec.Object.Name))
	ad.r.lifecycle.Adopt(p, now)
	for _, c := range rec.Containers {
		if c.Started != nil && c.Started.Mono < rec.Created.Mono {
			rec.Created = *c.Started
		}
	}
	return p
}

// endOrphans takes away the orphans that no manifest speaks of.
func (ad adopter) endOrphans() {
	for uid, err := range ad.r.remains.RemoveOrphans(&ad.r.orphans) {
		ad.r.Log.Warn("a pod without a record and without a manifest is taken away", "uid", uid)
		if err != nil {
			ad.r.Log.Error("cannot take away a pod without a record", "uid", uid, "error", err)
		}
	}
	ad.r.kernel.dropUnclaimed(nil)
}

// ReadImageUse reads what the pods of a daemon use that does not run. After an error it is not all of it.
func ReadImageUse(runDir, rootDir string) (state.ImageUse, error) {
	use := state.NewImageUse()
	recs, bad := state.Store{Dir: filepath.Join(runDir, "pods")}.ReadAll()
	if len(bad) > 0 {
		return use, fmt.Errorf("cannot tell which images the pods use: %w", errors.Join(bad...))
	}
	for _, rec := range recs {
		use.Add(rec)
	}
	revisions := rollout.New(rootDir, nil)
	_ = revisions.PeekRevisions() // a version that cannot be read cannot be put back either
	use.AddIDs(revisions.Images())
	use.AddIDs(controller.ReadImages(filepath.Join(rootDir, "workloads")))
	return use, nil
}
