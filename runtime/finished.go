package runtime

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/lifecycle"
)

// saveFinished writes the record of a pod that has just ended, away from the loop: the disk may be slow.
func (r *Runtime) saveFinished(p *lifecycle.Pod) {
	data, err := json.Marshal(p.Record)
	if err != nil {
		r.Log.Error("cannot keep the end of a pod", "pod", p.Name(), "error", err)
		return
	}
	uid := p.Record.UID
	r.disk.Do(func() {
		if err := r.finished.Save(uid, data); err != nil {
			r.Log.Error("cannot keep the end of a pod; it would run again after a reboot", "error", err)
		}
		r.inbox.put(msgKept{p})
	})
}

// deleteFinished forgets that a pod has ended, before it can come back and be taken for one that has.
func (r *Runtime) deleteFinished(uid types.UID) {
	r.disk.Wait() // its end may be being written
	if err := r.finished.Delete(uid); err != nil {
		r.Log.Error("cannot forget the end of a pod; it would not run if it came back", "error", err)
	}
}
