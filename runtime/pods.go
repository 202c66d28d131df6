package runtime

import (
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/shutdown"
	"podd/runtime/state"
)

// podTable is all pods, those that there are and those that are wanted, and what is to be done about them at the end of the
// step. It belongs to the loop.
type podTable struct {
	pods    map[types.UID]*lifecycle.Pod
	desired map[types.NamespacedName]*manifest.Pod
	made    map[types.UID]*manifest.Pod // of desired, those of controllers
	// stopping: all pods end with the board.
	stopping bool
	stages   shutdown.Stages
	held     heldStop
	dirty    map[types.UID]bool // to be decided on anew
	unsaved  map[types.UID]bool // whose records have changed

	records state.Store
	suspect func(error) // told why a record could not be written
	log     *slog.Logger
}

func newPodTable(records state.Store, suspect func(error), log *slog.Logger) podTable {
	return podTable{
		pods: map[types.UID]*lifecycle.Pod{}, desired: map[types.NamespacedName]*manifest.Pod{},
		made:  map[types.UID]*manifest.Pod{},
		dirty: map[types.UID]bool{}, unsaved: map[types.UID]bool{}, records: records, suspect: suspect, log: log,
	}
}

func keyOf(p *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}

func (t *podTable) wanted(p *lifecycle.Pod) bool {
	if p.Deleted || t.stopping && (p.Record.State == state.PodWaiting || t.stages.Ends(priorityOf(p))) {
		return false
	}
	m := t.desired[keyOf(p.Record.Object)]
	return m != nil && m.Object.UID == p.Record.UID
}

func priorityOf(p *lifecycle.Pod) int32 {
	if priority := p.Record.Object.Spec.Priority; priority != nil {
		return *priority
	}
	return 0
}

// current is the pod of a manifest's name that could take a change.
func (t *podTable) current(m *manifest.Pod) *lifecycle.Pod {
	for _, p := range t.pods {
		if keyOf(p.Record.Object) == keyOf(m.Object) && !p.Deleted && (p.Record.State == state.PodWaiting || p.Record.State == state.PodRunning) {
			return p
		}
	}
	return nil
}

// blocked says whether another pod of this name has yet to end. Of two that wait the newest wins, so an
// older one that never ran blocks nobody for long.
func (t *podTable) blocked(p *lifecycle.Pod) bool {
	for uid, other := range t.pods {
		if uid != p.Record.UID && keyOf(other.Record.Object) == keyOf(p.Record.Object) && other.Record.State != state.PodGone {
			return true
		}
	}
	return false
}

func (t *podTable) anyBusy() bool {
	for _, p := range t.pods {
		if p.Busy {
			return true
		}
	}
	return false
}

func (t *podTable) mark(uid types.UID) { t.dirty[uid] = true }

// markSuccessors looks again at the pods that waited for the end of one of their name.
func (t *podTable) markSuccessors(key types.NamespacedName) {
	for uid, other := range t.pods {
		if keyOf(other.Record.Object) == key {
			t.mark(uid)
		}
	}
}

// markAwaiting looks again at every pod that may wait for an image.
func (t *podTable) markAwaiting() {
	for uid, p := range t.pods {
		if p.HasVolumes() && !p.Record.Volumes.Ready {
			t.refreshVolumes(p)
		}
		for _, c := range p.Record.Containers {
			if !c.State.Alive() {
				t.mark(uid)
			}
		}
	}
}

// markWaiting looks again at the pods that have not begun or were not admitted: the board may have other settings.
func (t *podTable) markWaiting() {
	for uid, p := range t.pods {
		if p.Record.State == state.PodWaiting || p.Record.State == state.PodFinished && !p.Record.Initialized {
			t.mark(uid)
		}
	}
}

// refreshVolumes looks again at the volumes of a pod: something that they are made of has changed.
func (t *podTable) refreshVolumes(p *lifecycle.Pod) {
	if !p.HasVolumes() {
		return
	}
	p.Refresh = true
	p.Record.Volumes.RetryNow()
	t.mark(p.Record.UID)
}

// retryConfig lets containers that waited for something of the folder try again at once.
func (t *podTable) retryConfig(p *lifecycle.Pod) {
	for _, c := range p.Record.Containers {
		if c.Waiting != nil && c.Waiting.Reason == lifecycle.ReasonConfigError {
			c.NotBefore, c.Backoff = 0, 0
		}
	}
}

// save keeps the record at the end of the step, however often it changes within.
func (t *podTable) save(p *lifecycle.Pod) { t.unsaved[p.Record.UID] = true }

// saveAll writes the records that have changed.
func (t *podTable) saveAll() {
	for uid := range t.unsaved {
		delete(t.unsaved, uid)
		if p := t.pods[uid]; p != nil {
			t.write(p)
		}
	}
}

func (t *podTable) write(p *lifecycle.Pod) {
	if err := t.records.Write(p.Record); err != nil {
		t.log.Error("cannot keep a record", "pod", p.Name(), "error", err)
		t.suspect(err)
	}
}

// imageUse is which images the pods use now.
func (t *podTable) imageUse() state.ImageUse {
	use := state.NewImageUse()
	for _, p := range t.pods {
		use.Add(p.Record)
	}
	return use
}

// podsByNow are the pods with the labels that their manifests have now.
func (t *podTable) podsByNow() []*corev1.Pod {
	pods := make([]*corev1.Pod, 0, len(t.pods))
	for uid, p := range t.pods {
		object := p.Record.Object
		if m := t.desired[keyOf(object)]; m != nil && p.Record.Stop == nil {
			object = m.Object
		}
		now := *object
		now.UID = uid
		pods = append(pods, &now)
	}
	return pods
}

// named is a pod of a name that is there, nil if there is none.
func (t *podTable) named(key types.NamespacedName) *lifecycle.Pod {
	for _, p := range t.pods {
		if keyOf(p.Record.Object) == key && p.Record.State != state.PodGone {
			return p
		}
	}
	return nil
}
