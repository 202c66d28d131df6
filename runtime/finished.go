package runtime

import (
	"encoding/json"
	"log/slog"

	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/lifecycle"
	"podd/runtime/state"
)

// finishedPods keeps the ends of pods that are not to run again after a reboot.
type finishedPods struct {
	store state.FinishedStore
	disk  *state.Disk
	// kept says that the end of a pod is on the disk, or cannot be kept. Any goroutine calls it.
	kept func(p *lifecycle.Pod)
	log  *slog.Logger
}

// save writes the record of a pod that has just ended, away from the loop: the disk may be slow.
func (f *finishedPods) save(p *lifecycle.Pod) {
	data, err := json.Marshal(p.Record)
	if err != nil {
		f.log.Error("cannot keep the end of a pod", "pod", p.Name(), "error", err)
		return
	}
	uid := p.Record.UID
	f.disk.Do(func() {
		if err := f.store.Save(uid, data); err != nil {
			f.log.Error("cannot keep the end of a pod; it would run again after a reboot", "error", err)
		}
		f.kept(p)
	})
}

// delete forgets that a pod has ended, before it can come back and be taken for one that has.
func (f *finishedPods) delete(uid types.UID) {
	f.disk.Wait() // its end may be being written
	if err := f.store.Delete(uid); err != nil {
		f.log.Error("cannot forget the end of a pod; it would not run if it came back", "error", err)
	}
}

// adopt writes the end of a pod whose daemon died before it had, or of which the file is lost.
func (f *finishedPods) adopt(p *lifecycle.Pod) {
	if p.Record.State != state.PodFinished {
		return
	}
	if p.Record.Kept {
		if err := f.store.Check(p.Record.UID); err != nil {
			f.disk.SetAside([]error{err}, "it is written again")
			p.Record.Kept = false
		}
	}
	if !p.Record.Kept {
		f.save(p)
	}
}

// restore gives the record of a pod as it has ended in an earlier boot; nil: it has not.
func (f *finishedPods) restore(uid types.UID) *state.Record {
	rec, err := f.store.Read(uid)
	if err != nil {
		f.disk.SetAside([]error{err}, "that a pod has ended; it runs again")
	}
	return rec
}
