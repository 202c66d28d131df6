package controller

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/state"
	"podd/runtime/workload"
)

// NotePod takes in how a pod is shown now.
func (m *Manager) NotePod(p *corev1.Pod, now state.Instant) {
	before := m.pods[p.UID]
	m.pods[p.UID] = p
	delete(m.ghosts, p.UID)
	if before == nil || !maps.Equal(before.Labels, p.Labels) || controllerOf(before) != controllerOf(p) {
		m.markNamespace(p.Namespace) // somebody may adopt it, or give it up
	}
	if workload.Terminal(p) && (before == nil || !workload.Terminal(before)) {
		if p.Status.Phase == corev1.PodFailed && before != nil {
			m.failures().noteFailure(p, now)
		}
		m.failures().collectFinished(now)
		m.RetryCreate() // it has a place no more
	}
	m.concern(p)
}

// concern looks again at those whom a pod concerns.
func (m *Manager) concern(p *corev1.Pod) {
	if owner := controllerOf(p); owner != "" {
		m.markUp(m.entries[owner])
	}
	m.markBudgets(p.Namespace)
}

func controllerOf(p *corev1.Pod) types.UID {
	if ref := metav1.GetControllerOfNoCopy(p); ref != nil {
		return ref.UID
	}
	return ""
}

// markNamespace looks again at all that makes pods in a namespace.
func (m *Manager) markNamespace(namespace string) {
	for _, e := range m.entries {
		if e.key.Namespace == namespace {
			e.dirty = true
		}
	}
}

// ForgetPod takes in that nothing is left of a pod. One that has a finalizer stays for those who have to look at it, as a
// pod that has ended.
func (m *Manager) ForgetPod(uid types.UID) {
	p := m.pods[uid]
	if p == nil {
		return
	}
	delete(m.ending, uid)
	if owner := m.entries[controllerOf(p)]; len(p.Finalizers) > 0 && owner != nil {
		ghost := *p
		if ghost.DeletionTimestamp == nil {
			at := ghost.CreationTimestamp
			ghost.DeletionTimestamp = &at
		}
		if !workload.Terminal(&ghost) {
			ghost.Status.Phase = corev1.PodFailed
		}
		m.pods[uid], m.ghosts[uid] = &ghost, true
		m.treeFiles().save(owner)
		m.treeFiles().write() // before the pod's record is removed: its end is to be counted
	} else {
		delete(m.pods, uid)
	}
	m.ownersGone = true
	m.concern(p)
	m.RetryCreate()
}

// RetryCreate lets those try again who could not make pods: a name or a place may be free, or the rules be others.
func (m *Manager) RetryCreate() {
	for _, e := range m.entries {
		if e.createError != "" {
			e.createError, e.dirty = "", true
		}
	}
}

// NodeChanged looks again at what depends on the board: its labels, and whether new pods may come to it.
func (m *Manager) NodeChanged() {
	for _, e := range m.entries {
		if e.key.Kind == kindDaemon {
			e.dirty = true
		}
	}
	m.RetryCreate()
}

// HasSchedules says whether anything goes by the clock.
func (m *Manager) HasSchedules() bool {
	for _, e := range m.entries {
		if e.key.Kind == kindCron {
			return true
		}
	}
	return false
}

// ClockSet looks again at all that goes by the clock.
func (m *Manager) ClockSet() {
	for _, e := range m.entries {
		if e.key.Kind == kindCron || !e.wake.IsZero() {
			e.dirty = true
		}
	}
}

// Ended says whether a pod of the folder was adopted and ended by a controller: it does not begin anew until its manifest
// is another, or its owner is gone.
func (m *Manager) Ended(uid types.UID) bool {
	for _, e := range m.entries {
		if e.ended[uid] {
			return true
		}
	}
	return false
}

// podsIn lists the pods of a namespace, by name, as controllers see them: one that was told to end is ending.
func (st stepper) podsIn(namespace string, now state.Instant) []*corev1.Pod {
	var list []*corev1.Pod
	for uid, p := range st.m.pods {
		if p.Namespace != namespace {
			continue
		}
		if st.m.ending[uid] && p.DeletionTimestamp == nil {
			q := *p
			at := metav1.NewTime(now.Wall)
			q.DeletionTimestamp = &at
			p = &q
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *corev1.Pod) int {
		if a.Name != b.Name {
			if a.Name < b.Name {
				return -1
			}
			return 1
		}
		return slices.Compare([]byte(a.UID), []byte(b.UID))
	})
	return list
}

// updatePod gives a pod what a controller has changed of its metadata.
func (st stepper) updatePod(p *corev1.Pod, now state.Instant) {
	if st.m.ghosts[p.UID] {
		if len(p.Finalizers) == 0 {
			delete(st.m.pods, p.UID)
			delete(st.m.ghosts, p.UID)
		} else {
			st.m.pods[p.UID] = p
		}
		return
	}
	st.m.pods[p.UID] = p
	st.m.Loop.UpdatePod(p, now)
}

// release leaves a pod without an owner.
func (st stepper) release(p *corev1.Pod, now state.Instant) {
	free := *p
	free.OwnerReferences, free.Finalizers = nil, nil
	st.updatePod(&free, now)
}

// deletePod ends a pod.
func (st stepper) deletePod(root *entry, p *corev1.Pod, now state.Instant) {
	if st.m.ghosts[p.UID] {
		return
	}
	if root != nil && !st.m.Loop.Made(p.UID) {
		root.ended[p.UID] = true
		st.m.treeFiles().save(root)
	}
	st.m.ending[p.UID] = true
	st.m.Loop.DeletePod(p.UID, now)
}
