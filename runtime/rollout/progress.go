package rollout

import (
	"cmp"
	"fmt"

	"podd/runtime/manifest/annotation"
	"podd/runtime/state"
)

// Pod is what the watch over one pod remembers from one look to the next. It belongs to the loop.
type Pod struct {
	blocked bool // by a pod of its name that had not ended
}

// CheckProgressDeadline watches over a pod that asks to be put back: a version that has stayed Ready is kept, one that has not
// become Ready in time is given up. blocked: a pod of its name has yet to end. It says when to look again, 0: never; and in a
// sentence that the pod's version was given up, "" if it was not. The pod then changes once its manifest is resolved anew.
func (m *Manager) CheckProgressDeadline(p *Pod, rec *state.Record, blocked bool, now state.Instant) (wake state.BootTime, rolledBack string) {
	r := m.revisions[keyOf(rec.Object)]
	if !annotation.WantsRollback(rec.Object) || r != nil && r.Good.Hash == rec.Hash {
		return 0, ""
	}
	if rec.State == state.PodWaiting && blocked {
		p.blocked = true
		return 0, ""
	}
	if p.blocked { // its time begins when the pod before it is gone
		p.blocked, rec.Changed = false, &now
	}
	since := rec.Created
	if rec.Changed != nil {
		since = *rec.Changed
	}
	if ready, ok := rec.ReadySince(); ok {
		if by := max(ready.Mono, since.Mono).Add(annotation.MinReady(rec.Object.Annotations)); now.Mono < by {
			return by, ""
		}
		m.saveRevision(rec)
		return 0, ""
	}
	if r == nil || rec.State != state.PodWaiting && rec.State != state.PodRunning {
		return 0, ""
	}
	by := since.After(annotation.ProgressDeadline(rec.Object.Annotations))
	if now.Mono < by {
		return by, ""
	}
	return 0, m.rollback(rec, r)
}

// rollback lets the version that was Ready last take the place of one that is not.
func (m *Manager) rollback(rec *state.Record, r *revision) (message string) {
	r.Bad = rec.Hash
	r.Message = fmt.Sprintf("%s: pod %q did not become Ready within %s of its change and was put back to the version that was Ready last; correct the file to have it tried again",
		rec.File, rec.Object.Name, annotation.ProgressDeadline(rec.Object.Annotations))
	m.files.Persist(m.revisionPath(keyOf(rec.Object)), r, "that a pod was put back")
	return r.Message
}

// saveRevision keeps a version to put the pod back to.
func (m *Manager) saveRevision(rec *state.Record) {
	good := &goodPod{Hash: rec.Hash, Object: rec.Object, Images: map[string]string{}}
	for _, c := range rec.Containers {
		good.Images[c.Name] = cmp.Or(c.ImageID, rec.Pins[c.Name])
	}
	r, key := &revision{Good: good}, keyOf(rec.Object)
	m.revisions[key] = r
	m.files.Persist(m.revisionPath(key), r, "the version of a pod that is Ready")
}
