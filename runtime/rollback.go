package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/state"
)

// rollback is what is kept of a pod that asks to be put back when a change of it does not become Ready. It is on
// disk, and written when such a pod becomes Ready after a change and when one is put back.
type rollback struct {
	Good *goodPod `json:"good"`
	// Bad is the version of the manifest that is not tried again, empty if there is none.
	Bad     string `json:"bad,omitempty"`
	Message string `json:"message,omitempty"`
}

// goodPod is a version that was Ready.
type goodPod struct {
	Hash   string            `json:"hash"`
	Object *corev1.Pod       `json:"object"`
	Images map[string]string `json:"images"` // IDs, by the container's name: a name may stand for another image by now
}

// ReasonRolledBack is that of a manifest whose pod was put back to the version before.
const ReasonRolledBack = "RolledBack"

func (r *Runtime) rollbackPath(key podKey) string {
	return filepath.Join(r.RootDir, "rollback", key.namespace+"_"+key.name+".json")
}

// peekRollbacks reads what earlier daemons kept. One that cannot be read is left out and named in the error: its pod is not
// put back.
func (r *Runtime) peekRollbacks() (bad []error) {
	entries, err := os.ReadDir(filepath.Join(r.RootDir, "rollback"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		bad = append(bad, err)
	}
	for _, e := range entries {
		namespace, name, ok := strings.Cut(strings.TrimSuffix(e.Name(), ".json"), "_")
		if !ok || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		key, b := podKey{namespace, name}, &rollback{}
		if err := atomicfile.PeekJSON(r.rollbackPath(key), b, func() error { return b.check(key) }); err != nil {
			bad = append(bad, err)
			continue
		}
		r.rollbacks[key] = b
	}
	return bad
}

// check refuses what no podd has written.
func (b *rollback) check(key podKey) error {
	if b.Good == nil || b.Good.Object == nil || b.Good.Hash == "" {
		return errors.New("it names no version")
	}
	if keyOf(b.Good.Object) != key || b.Good.Object.UID == "" || len(b.Good.Object.Spec.Containers) == 0 {
		return errors.New("it is not of this pod")
	}
	return nil
}

// putBack gives the last good version of a pod for a manifest that was tried and is not tried again.
func (r *Runtime) putBack(m *manifest.Pod) *manifest.Pod {
	b := r.rollbacks[keyOf(m.Object)]
	if b == nil || b.Bad != m.Hash {
		return m
	}
	out := *m
	out.Object, out.Hash = b.Good.Object, b.Good.Hash
	return &out
}

// pins are the images that a version which was put back runs from.
func (r *Runtime) pins(m *manifest.Pod) map[string]string {
	if b := r.rollbacks[keyOf(m.Object)]; b != nil && b.Bad != "" && b.Good.Hash == m.Hash {
		return b.Good.Images
	}
	return nil
}

// rollbackProblems says which manifests are not what runs.
func (r *Runtime) rollbackProblems(set []manifest.Pod) []manifest.Problem {
	var list []manifest.Problem
	for i := range set {
		m := &set[i]
		if b := r.rollbacks[keyOf(m.Object)]; b != nil && b.Bad == m.Hash {
			list = append(list, manifest.Problem{
				File: m.File, Doc: m.Doc, Namespace: m.Object.Namespace, Name: m.Object.Name, Reason: ReasonRolledBack, Message: b.Message,
			})
		}
	}
	return list
}

// forgetRollbacks forgets pods whose manifests are gone.
func (r *Runtime) forgetRollbacks() {
	for key := range r.rollbacks {
		if r.desired[key] == nil {
			delete(r.rollbacks, key)
			path := r.rollbackPath(key)
			r.disk.do(func() { _ = os.Remove(path) })
		}
	}
}

// progress watches over a pod that asks to be put back: a version that has stayed Ready is kept, one that has not
// become Ready in time is given up. It says when to look again (since boot), 0: never.
func (r *Runtime) progress(p *pod, now state.Instant) state.BootTime {
	b := r.rollbacks[keyOf(p.rec.Object)]
	if !manifest.WantsRollback(p.rec.Object) || p.deleted || b != nil && b.Good.Hash == p.rec.Hash {
		return 0
	}
	if p.rec.State == state.PodWaiting && r.blocked(p) {
		p.held = true
		return 0
	}
	if p.held { // its time begins when the pod before it is gone
		p.held, p.rec.Changed = false, &now
	}
	since := p.rec.Created
	if p.rec.Changed != nil {
		since = *p.rec.Changed
	}
	if ready, ok := p.rec.ReadySince(); ok {
		if by := max(ready.Mono, since.Mono).Add(manifest.MinReady(p.rec.Object)); now.Mono < by {
			return by
		}
		r.keepGood(p)
		return 0
	}
	if b == nil || p.rec.State != state.PodWaiting && p.rec.State != state.PodRunning {
		return 0
	}
	by := since.After(manifest.ProgressDeadline(p.rec.Object))
	if now.Mono < by {
		return by
	}
	r.giveUp(p, b, now)
	return 0
}

// giveUp lets the version that was Ready last take the place of one that is not.
func (r *Runtime) giveUp(p *pod, b *rollback, now state.Instant) {
	b.Bad = p.rec.Hash
	b.Message = fmt.Sprintf("%s: pod %q did not become Ready within %s of its change and was put back to the version that was Ready last; correct the file to have it tried again",
		p.rec.File, p.rec.Object.Name, manifest.ProgressDeadline(p.rec.Object))
	r.keep(r.rollbackPath(keyOf(p.rec.Object)), b, "that a pod was put back")
	r.event(p, "", now, corev1.EventTypeWarning, ReasonRolledBack, b.Message)
	r.inbox.put(msgManifests{})
}

// keepGood keeps a version to put the pod back to.
func (r *Runtime) keepGood(p *pod) {
	good := &goodPod{Hash: p.rec.Hash, Object: p.rec.Object, Images: map[string]string{}}
	for _, c := range p.rec.Containers {
		good.Images[c.Name] = cmp.Or(c.ImageID, p.rec.Pins[c.Name])
	}
	b := &rollback{Good: good}
	key := keyOf(p.rec.Object)
	r.rollbacks[key] = b
	r.keep(r.rollbackPath(key), b, "the version of a pod that is Ready")
}
