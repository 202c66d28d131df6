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
	"podd/runtime/state"
)

// mostPods is how many pods controllers may make as long as there are others: the capacity of a node of Kubernetes.
// https://kubernetes.io/docs/setup/best-practices/cluster-large/
const mostPods = 110

// controllerLoop is the loop as controllers know it.
type controllerLoop struct{ r *Runtime }

func (l controllerLoop) CreatePod(pod *corev1.Pod, owner controller.Origin, now state.Instant) error {
	return l.r.createPod(pod, owner, now)
}

func (l controllerLoop) UpdatePod(pod *corev1.Pod, now state.Instant) { l.r.updatePod(pod, now) }

func (l controllerLoop) DeletePod(uid types.UID, now state.Instant) { l.r.endMade(uid) }

func (l controllerLoop) Made(uid types.UID) bool {
	p := l.r.pods[uid]
	return p != nil && p.Record.Made
}

// Node is the board, as far as controllers look at it.
func (l controllerLoop) Node() *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: l.r.NodeName, Labels: node.Labels(l.r.NodeName, l.r.Settings.Labels)}}
	l.r.Cordon().Show(&n.Spec)
	return n
}

func (l controllerLoop) ClaimsChanged(changed map[objects.Key]bool, now state.Instant) {
	if len(changed) > 0 {
		l.r.objectsChanged(changed, now)
	}
}

// syncControllers lets the controllers of workloads look at what has changed.
func (r *Runtime) syncControllers(now state.Instant) {
	if !r.stopping {
		r.controllers.Sync(now)
	}
}

// takeWorkloads takes in what the folder says of workloads. What an earlier daemon has left of their pods is seen before.
func (r *Runtime) takeWorkloads(set *manifest.Set, now state.Instant) {
	if !r.workloadsTaken {
		r.workloadsTaken = true
		for _, p := range r.pods {
			r.publish(p, now)
		}
	}
	r.controllers.Take(set, now)
	if r.controllers.HasSchedules() {
		r.accounts.WatchClock()
	}
}

// readWorkloads takes over what an earlier daemon knew of workloads, and the pods that it had made for them. Of those of an
// earlier boot are left that had ended for good.
func (r *Runtime) readWorkloads(now state.Instant) {
	r.disk.SetAside(r.controllers.Read(now), "the revisions of a workload and what its Jobs have counted; they begin anew")
	recs, bad := r.finished.ReadMade()
	r.disk.SetAside(bad, "that a pod of a workload has ended")
	for _, rec := range recs {
		if r.pods[rec.UID] == nil {
			r.pods[rec.UID] = lifecycle.NewPod(rec)
			r.save(r.pods[rec.UID])
			r.mark(rec.UID)
		}
	}
	for uid, p := range r.pods {
		if p.Record.Made && p.Record.Stop == nil {
			r.made[uid] = madePod(p.Record)
		}
	}
}

// madePod stands for the manifest of a pod that has none.
func madePod(rec *state.Record) *manifest.Pod {
	return &manifest.Pod{Object: rec.Object, File: rec.File, Doc: rec.Doc, Hash: rec.Hash, Since: rec.Since}
}

// createPod makes a pod for a controller. The errors are the API server's and the scheduler's.
func (r *Runtime) createPod(pod *corev1.Pod, owner controller.Origin, now state.Instant) error {
	if r.madeAlive() >= mostPods {
		return fmt.Errorf("pods %q is forbidden: 0/1 nodes are available: 1 Too many pods: %d is the most on one board", pod.Name, mostPods)
	}
	pod = pod.DeepCopy()
	if err := manifest.Admit(pod); err != nil {
		return err
	}
	if v := r.judge(pod); v.Refused != "" {
		return fmt.Errorf("pods %q is forbidden: %s", pod.Name, v.Refused)
	}
	key := keyOf(pod)
	if r.desired[key] != nil || r.named(key) != nil {
		return fmt.Errorf("pods %q already exists", pod.Name)
	}
	m := &manifest.Pod{Object: pod, File: owner.File, Doc: owner.Doc, Hash: manifest.HashOfPod(pod), Since: now.Wall}
	m = r.accounts.Admit(m, nil)
	r.made[pod.UID], r.desired[key] = m, m
	r.welcome(m, now)
	rec := r.pods[pod.UID].Record
	rec.Made, r.reschedule = true, true
	if owner.Pins != nil {
		rec.Pins = owner.Pins
	}
	return nil
}

// madeAlive counts the pods of controllers that have not ended for good: those take a place on the board.
func (r *Runtime) madeAlive() (n int) {
	for uid := range r.made {
		if p := r.pods[uid]; p == nil || p.Record.State != state.PodFinished {
			n++
		}
	}
	return n
}

// named is a pod of a name that is there, nil if there is none.
func (r *Runtime) named(key types.NamespacedName) *lifecycle.Pod {
	for _, p := range r.pods {
		if keyOf(p.Record.Object) == key && p.Record.State != state.PodGone {
			return p
		}
	}
	return nil
}

// updatePod gives a pod the metadata that a controller wants it to have.
func (r *Runtime) updatePod(pod *corev1.Pod, now state.Instant) {
	p := r.pods[pod.UID]
	if p == nil {
		return
	}
	object := *p.Record.Object
	object.Labels, object.Annotations = pod.Labels, pod.Annotations
	object.OwnerReferences, object.Finalizers = pod.OwnerReferences, pod.Finalizers
	raw, err := json.Marshal(&object)
	if err != nil {
		r.Log.Error("cannot change a pod", "pod", p.Name(), "error", err)
		return
	}
	p.Record.Object, p.Record.Raw = &object, raw
	if m := r.made[pod.UID]; m != nil {
		changed := *m
		changed.Object = &object
		r.made[pod.UID] = &changed
		if key := keyOf(&object); r.desired[key] == m {
			r.desired[key] = &changed
		}
	}
	if p.Record.State == state.PodFinished {
		r.saveFinished(p)
	}
	r.save(p)
	r.mark(pod.UID)
	r.publish(p, now)
}

// endMade ends a pod that a controller does not want any more, or that somebody has deleted: another takes its place if its
// owner wants one.
func (r *Runtime) endMade(uid types.UID) {
	delete(r.made, uid)
	p := r.pods[uid]
	if p == nil {
		return
	}
	if key := keyOf(p.Record.Object); r.desired[key] != nil && r.desired[key].Object.UID == uid {
		delete(r.desired, key)
	}
	r.mark(uid)
}

// addMade adds the pods of controllers to those of the folder, which come first.
func (r *Runtime) addMade() {
	for _, m := range r.made {
		if key := keyOf(m.Object); r.desired[key] == nil {
			r.desired[key] = m
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
