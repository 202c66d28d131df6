package runtime

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest"
	"podd/runtime/state"
)

// resolve gives a manifest the UID of the pod that it continues: one that was changed in place, now or earlier.
// A running pod takes the change if it can; otherwise the manifest stands for a pod of its own.
func (r *Runtime) resolve(m *manifest.Pod, now state.Instant) *manifest.Pod {
	m = r.putBack(m)
	if uid, ok := r.continued.of[m.Object.UID]; ok {
		m = withUID(m, uid)
	}
	p := r.current(m)
	if p == nil {
		return m
	}
	own := m.Object.UID
	if p.rec.Hash == m.Hash {
		if own == p.rec.UID || p.rec.File != m.File {
			return m
		}
		// It was changed in place to this version, and what remembered that is lost.
		if r.continued.set(own, p.rec.UID) {
			r.keepContinued()
		}
		return withUID(m, p.rec.UID)
	}
	change := manifest.Compare(p.rec.Object, m.Object)
	if len(change.Replace) > 0 || p.rec.File != m.File {
		return m
	}
	if r.continued.set(own, p.rec.UID) {
		r.keepContinued()
	}
	m = withUID(m, p.rec.UID)
	r.update(p, m, change, now)
	return m
}

// current is the pod of a manifest's name that could take a change.
func (r *Runtime) current(m *manifest.Pod) *pod {
	for _, p := range r.pods {
		if keyOf(p.rec.Object) == keyOf(m.Object) && !p.deleted && (p.rec.State == state.PodWaiting || p.rec.State == state.PodRunning) {
			return p
		}
	}
	return nil
}

func withUID(m *manifest.Pod, uid types.UID) *manifest.Pod {
	out, object := *m, *m.Object
	object.UID = uid
	out.Object = &object
	return &out
}

// keepContinued writes what was changed in place. Without it the pod would be another one after a reboot.
func (r *Runtime) keepContinued() {
	r.keep(r.continued.path, r.continued.of, "which pods were changed in place")
}

// uncontinue forgets what continued a pod that is gone, unless its manifest does still: it was deleted by hand.
func (r *Runtime) uncontinue(p *pod) {
	if m := r.desired[keyOf(p.rec.Object)]; m != nil && m.Object.UID == p.rec.UID {
		return
	}
	if r.continued.drop(p.rec.UID) {
		r.keepContinued()
	}
}

// update changes a pod in place.
func (r *Runtime) update(p *pod, m *manifest.Pod, change manifest.Change, now state.Instant) {
	before := p.rec.Object
	raw, err := json.Marshal(m.Object)
	if err != nil {
		r.Log.Error("cannot take a change", "pod", p.name(), "error", err)
		return
	}
	p.rec.Object, p.rec.Raw, p.rec.Hash, p.rec.Changed, p.rec.Pins = m.Object, raw, m.Hash, &now, r.pins(m)
	if change.Spec() {
		p.rec.Generation++
	}
	for _, name := range change.Images {
		p.rec.Container(name).MarkChanged(fmt.Sprintf("Container %s definition changed, will be restarted", name))
	}
	r.resize(p, before, change.Resources)
	r.refreshVolumes(p)
	r.Log.Info("pod changed in place", "pod", p.name(), "fields", strings.Join(change.Fields, ", "))
	r.save(p)
	r.mark(p.rec.UID)
}

// resize marks which containers get other limits, and which have to start anew for it.
func (r *Runtime) resize(p *pod, before *corev1.Pod, names []string) {
	if len(names) == 0 {
		return
	}
	old := state.Record{Object: before}
	if p.rec.Resize == nil {
		p.rec.Resize = &state.ResizeRecord{Before: map[string]corev1.ResourceRequirements{}}
	}
	p.rec.Resize.Applied, p.rec.Resize.Error, p.rec.Resize.NotBefore = false, "", 0
	for _, name := range names {
		c, is, was := p.rec.Container(name), p.rec.Spec(name), old.Spec(name)
		if manifest.RestartsForResize(was, is) {
			c.MarkChanged(fmt.Sprintf("Container %s resize requires restart", name))
		}
		if _, known := p.rec.Resize.Before[name]; !known {
			p.rec.Resize.Before[name] = was.Resources
		}
	}
}
