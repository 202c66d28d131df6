package runtime

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/controller"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/node"
	"podd/runtime/objects"
	"podd/runtime/runtimeclass"
	"podd/runtime/state"
)

// mostPods is how many pods controllers may make as long as there are others: the capacity of a node of Kubernetes.
// https://kubernetes.io/docs/setup/best-practices/cluster-large/
const mostPods = 110

// controllerLoop is the loop as controllers know it.
type controllerLoop struct {
	r     *Runtime
	taken bool // the workloads of an earlier daemon were read, once
}

func (l *controllerLoop) CreatePod(pod *corev1.Pod, owner controller.Origin, now state.Instant) error {
	return l.createPod(pod, owner, now)
}

func (l *controllerLoop) UpdatePod(pod *corev1.Pod, now state.Instant) { l.updatePod(pod, now) }

func (l *controllerLoop) DeletePod(uid types.UID, now state.Instant) { l.endMade(uid) }

func (l *controllerLoop) Made(uid types.UID) bool {
	p := l.r.pods[uid]
	return p != nil && p.Record.Made
}

// Node is the board, as far as controllers look at it.
func (l *controllerLoop) Node() *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: l.r.NodeName, Labels: node.Labels(l.r.NodeName, l.r.Settings.Labels)}}
	l.r.Cordon().Show(n)
	return n
}

func (l *controllerLoop) ClaimsChanged(changed map[objects.Key]bool, now state.Instant) {
	if len(changed) > 0 {
		l.r.objectsChanged(changed, now)
	}
}

// syncControllers lets the controllers of workloads look at what has changed.
func (l *controllerLoop) syncControllers(now state.Instant) {
	if !l.r.stopping {
		l.r.controllers.Sync(now)
		if l.r.controllers.RolledBack() {
			l.r.inbox.put(msgManifests{})
		}
	}
}

// takeWorkloads takes in what the folder says of workloads. What an earlier daemon has left of their pods is seen before.
func (l *controllerLoop) takeWorkloads(set *manifest.Set, now state.Instant) {
	if !l.taken {
		l.taken = true
		for _, p := range l.r.pods {
			l.r.publish(p, now)
		}
	}
	l.r.controllers.Take(set, now)
	if l.r.controllers.HasSchedules() {
		l.r.accounts.WatchClock()
	}
}

// readWorkloads takes over what an earlier daemon knew of workloads, and the pods that it had made for them. Of those of an
// earlier boot are left that had ended for good.
func (l *controllerLoop) readWorkloads(now state.Instant) {
	l.r.disk.SetAside(l.r.controllers.Read(now), "the revisions of a workload and what its Jobs have counted; they begin anew")
	controller.WriteTrees(l.r.controllers)
	recs, bad := l.r.finished.ReadMade()
	l.r.disk.SetAside(bad, "that a pod of a workload has ended")
	for _, rec := range recs {
		if l.r.pods[rec.UID] == nil {
			l.r.pods[rec.UID] = lifecycle.NewPod(rec)
			l.r.save(l.r.pods[rec.UID])
			l.r.mark(rec.UID)
		}
	}
	for uid, p := range l.r.pods {
		if p.Record.Made && p.Record.Stop == nil {
			l.r.made[uid] = madePod(p.Record)
		}
	}
}

// madePod stands for the manifest of a pod that has none.
func madePod(rec *state.Record) *manifest.Pod {
	return &manifest.Pod{Object: rec.Object, File: rec.File, Doc: rec.Doc, Hash: rec.Hash, Since: rec.Since, RuntimeClass: rec.RuntimeClass}
}

// createPod makes a pod for a controller. The errors are the API server's and the scheduler's.
func (l *controllerLoop) createPod(pod *corev1.Pod, owner controller.Origin, now state.Instant) error {
	if l.madeAlive() >= mostPods {
		return fmt.Errorf("pods %q is forbidden: 0/1 nodes are available: 1 Too many pods: %d is the most on one board", pod.Name, mostPods)
	}
	pod = pod.DeepCopy()
	if err := manifest.Admit(pod); err != nil {
		return err
	}
	class := l.r.admission.classOf(pod)
	admitted, err := runtimeclass.Admit(pod, class)
	if err != nil {
		return fmt.Errorf("pods %q is forbidden: %w", pod.Name, err)
	}
	if v := l.r.admission.checkSecurity(pod); v.Refused != "" {
		return fmt.Errorf("pods %q is forbidden: %s", pod.Name, v.Refused)
	}
	key := keyOf(pod)
	if l.r.desired[key] != nil || l.r.named(key) != nil {
		return fmt.Errorf("pods %q already exists", pod.Name)
	}
	m := &manifest.Pod{Object: admitted, File: owner.File, Doc: owner.Doc, Hash: manifest.HashOfPod(pod), Since: now.Wall, RuntimeClass: class}
	m = l.r.accounts.Admit(m, nil)
	l.r.made[pod.UID], l.r.desired[key] = m, m
	l.r.addPod(m, now)
	rec := l.r.pods[pod.UID].Record
	rec.Made, l.r.reschedule = true, true
	if owner.Pins != nil {
		rec.Pins = owner.Pins
	}
	return nil
}

// madeAlive counts the pods of controllers that have not ended for good: those take a place on the board.
func (l *controllerLoop) madeAlive() (n int) {
	for uid := range l.r.made {
		if p := l.r.pods[uid]; p == nil || p.Record.State != state.PodFinished {
			n++
		}
	}
	return n
}

// updatePod gives a pod the metadata that a controller wants it to have.
func (l *controllerLoop) updatePod(pod *corev1.Pod, now state.Instant) {
	p := l.r.pods[pod.UID]
	if p == nil {
		return
	}
	object := *p.Record.Object
	object.Labels, object.Annotations = pod.Labels, pod.Annotations
	object.OwnerReferences, object.Finalizers = pod.OwnerReferences, pod.Finalizers
	raw, err := json.Marshal(&object)
	if err != nil {
		l.r.Log.Error("cannot change a pod", "pod", p.Name(), "error", err)
		return
	}
	p.Record.Object, p.Record.Raw = &object, raw
	if m := l.r.made[pod.UID]; m != nil {
		changed := *m
		changed.Object = &object
		l.r.made[pod.UID] = &changed
		if key := keyOf(&object); l.r.desired[key] == m {
			l.r.desired[key] = &changed
		}
	}
	if p.Record.State == state.PodFinished {
		l.r.saveFinished(p)
	}
	// At once: a Job counts the pods that have lost its finalizer, and keeps the number before this turn of the loop ends.
	l.r.write(p)
	l.r.mark(pod.UID)
	l.r.publish(p, now)
}

// endMade ends a pod that a controller does not want any more, or that somebody has deleted: another takes its place if its
// owner wants one.
func (l *controllerLoop) endMade(uid types.UID) {
	delete(l.r.made, uid)
	p := l.r.pods[uid]
	if p == nil {
		return
	}
	if key := keyOf(p.Record.Object); l.r.desired[key] != nil && l.r.desired[key].Object.UID == uid {
		delete(l.r.desired, key)
	}
	l.r.mark(uid)
}

// addMade adds the pods of controllers to those of the folder, which come first.
func (l *controllerLoop) addMade() {
	for _, m := range l.r.made {
		if key := keyOf(m.Object); l.r.desired[key] == nil {
			l.r.desired[key] = m
		}
	}
}

// withOwners gives a version of a manifest the owners of the pod that it continues.
func withOwners(m *manifest.Pod, p *lifecycle.Pod) *manifest.Pod {
	of := p.Record.Object
	if len(of.OwnerReferences)+len(of.Finalizers) == 0 {
		return m
	}
	out, object := *m, *m.Object
	object.OwnerReferences, object.Finalizers = of.OwnerReferences, of.Finalizers
	out.Object = &object
	return &out
}
