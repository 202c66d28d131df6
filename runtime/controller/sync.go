package controller

import (
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/api/hub"
	"podd/runtime/manifest/kinds"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/workload"
	"podd/runtime/workload/cronjob"
	"podd/runtime/workload/daemonset"
	"podd/runtime/workload/deployment"
	"podd/runtime/workload/disruption"
	"podd/runtime/workload/job"
	"podd/runtime/workload/replicaset"
	"podd/runtime/workload/statefulset"
)

// mostSteps is more than a controller needs to come to rest; one that does not is left until something changes.
const mostSteps = 200

// Due says whether a controller has something to look at.
func (m *Manager) Due(now state.Instant) bool {
	if !m.taken {
		return false
	}
	for _, e := range m.entries {
		if e.dirty || !e.wake.IsZero() && !now.Wall.Before(e.wake) {
			return true
		}
	}
	return false
}

// WakeAt is when a controller wants to look again (since boot), 0: never.
func (m *Manager) WakeAt(now state.Instant) state.BootTime {
	var next state.BootTime
	for _, e := range m.entries {
		if e.wake.IsZero() {
			continue
		}
		// A timer that is early by a moment would look again, and again.
		at := max(now.After(e.wake.Sub(now.Wall)), 1)
		if next == 0 || at < next {
			next = at
		}
	}
	return next
}

// Sync lets the controllers go on until all of them are at rest.
func (m *Manager) Sync(now state.Instant) {
	if !m.Due(now) {
		return
	}
	m.followClock(now)
	steps := map[types.UID]int{}
	for again := true; again; {
		again = false
		for _, e := range m.sorted() {
			if !e.wake.IsZero() && !now.Wall.Before(e.wake) {
				e.wake, e.dirty = time.Time{}, true
			}
			uid := e.object.GetUID()
			if !e.dirty || m.entries[uid] != e {
				continue
			}
			e.dirty = false
			if steps[uid]++; steps[uid] > mostSteps {
				m.Log.Error("a controller does not come to rest", "kind", e.key.Kind, "namespace", e.key.Namespace, "name", e.key.Name)
				continue
			}
			m.step(e, now)
			again = true
		}
	}
	m.write()
}

// step computes one step of a controller, and carries it out.
func (m *Manager) step(e *entry, now state.Instant) {
	res := compute(e.object, m.input(e, now))
	e.wake = res.Wake
	root := m.root(e)
	e.sequence = max(e.sequence, res.Sequence)
	if res.Object != nil {
		m.replace(e, res.Object, now)
	}
	for _, child := range res.Write {
		m.writeChild(e, child, now)
	}
	create := res.Create
	if e.createError != "" {
		create = nil
	}
	if e.key.Kind == kindJob && (len(res.Update) > 0 || res.Object != nil) {
		// What is counted is durable before the pods that it was counted of are let go.
		m.save(e)
		m.write()
	}
	made := create
	for i, pod := range create {
		if err := m.createPod(e, root, pod, now); err != nil {
			e.createError = err.Error()
			m.RecordEvent(now.Wall, e.reference(), corev1.EventTypeWarning, "FailedCreate", "Error creating: "+e.createError)
			made = create[:i]
			break
		}
	}
	m.recordEvents(e, &res, made, now)
	for _, pod := range res.Update {
		m.updatePod(pod, now)
	}
	for _, pod := range res.Delete {
		m.deletePod(root, pod, now)
	}
	for _, child := range res.Remove {
		m.remove(child, now)
	}
	if !res.Settled() || e.createError != "" && len(create) > 0 {
		m.save(e)
		// A result that only wants what cannot be had is the last one until something changes.
		stuck := e.createError != "" && len(create) == 0 && res.Object == nil && len(res.Write)+len(res.Update)+len(res.Delete)+len(res.Remove) == 0
		e.dirty = e.dirty || !stuck
		m.markUpOf(e)
	}
	m.judge(e, now)
}

// recordEvents records what a step has to say, but of pods that could not be made.
func (m *Manager) recordEvents(e *entry, res *workload.Result, made []*corev1.Pod, now state.Instant) {
	for _, ev := range res.Events {
		about := func(p *corev1.Pod) bool { return strings.Contains(ev.Message, p.Name) }
		if ev.Reason == "SuccessfulCreate" && slices.ContainsFunc(res.Create, about) && !slices.ContainsFunc(made, about) {
			continue
		}
		m.RecordEvent(now.Wall, e.reference(), ev.Type, ev.Reason, ev.Message)
	}
}

// markUpOf looks again at those that an entry was made for.
func (m *Manager) markUpOf(e *entry) {
	m.markUp(m.entries[e.parent])
	m.markScales(e)
}

// replace takes what a controller says of its own object.
func (m *Manager) replace(e *entry, o workload.Object, now state.Instant) {
	m.noteOverridden(e, o)
	e.object = o
	m.save(e)
	m.show(e)
}

// show publishes an entry.
func (m *Manager) show(e *entry) {
	m.Store.SetObject(e.key.Kind, objects.ShallowCopy[hub.Object](e.object))
}

func (m *Manager) createPod(e, root *entry, pod *corev1.Pod, now state.Instant) error {
	origin := root.origin
	origin.Pins = root.pinsFor(pod)
	if err := m.Loop.CreatePod(pod, origin, now); err != nil {
		return err
	}
	if m.pods[pod.UID] == nil {
		p := *pod
		p.Status.Phase = corev1.PodPending
		m.pods[pod.UID] = &p
	}
	return nil
}

// writeChild makes or replaces a child.
func (m *Manager) writeChild(e *entry, o workload.Object, now state.Instant) {
	key := objects.Key{Kind: kindOf(o), Namespace: o.GetNamespace(), Name: o.GetName()}
	if claim, ok := o.(*corev1.PersistentVolumeClaim); ok {
		m.writeClaim(key, claim, now)
		return
	}
	child := m.entries[o.GetUID()]
	if child == nil {
		if taken := m.names[key]; taken != "" && m.entries[taken] != nil {
			// It is known under another UID, as of a state that was lost: the new one takes its place.
			m.drop(m.entries[taken])
		}
		if j, ok := o.(*batchv1.Job); ok {
			kinds.CompleteJob(j)
			complete(j)
		}
		o.SetGeneration(max(o.GetGeneration(), 1))
		child = &entry{key: key, object: o, parent: e.object.GetUID()}
		m.add(child)
		m.save(child)
		m.show(child)
		return
	}
	if spec := specOf(o); spec != nil && !sameJSON(spec, specOf(child.object)) {
		o.SetGeneration(child.object.GetGeneration() + 1)
	}
	takeStatus(o, child.object)
	child.object, child.dirty = o, true
	m.save(child)
	m.show(child)
	m.markScales(child)
}

// remove removes a child, with what it owns.
func (m *Manager) remove(o workload.Object, now state.Instant) {
	if claim, ok := o.(*corev1.PersistentVolumeClaim); ok {
		m.removeClaim(objects.Key{Kind: kindClaim, Namespace: claim.Namespace, Name: claim.Name}, now)
		return
	}
	if e := m.entries[o.GetUID()]; e != nil {
		m.cascade(e, now)
	}
}

// cascade ends an entry with all that it owns. Pods of the folder that were adopted are let go.
func (m *Manager) cascade(e *entry, now state.Instant) {
	uid := e.object.GetUID()
	for _, child := range m.sorted() {
		if child.parent == uid {
			m.cascade(child, now)
		}
	}
	for _, p := range m.podsIn(e.key.Namespace, now) {
		if controllerOf(p) != uid {
			continue
		}
		if m.Loop.Made(p.UID) && !m.ghosts[p.UID] {
			m.ending[p.UID] = true
			m.Loop.DeletePod(p.UID, now)
			continue
		}
		free := *p
		free.OwnerReferences, free.Finalizers = nil, nil
		m.updatePod(&free, now)
	}
	m.save(e)
	m.drop(e)
	m.markNamespace(e.key.Namespace)
}

// input is what a controller looks at.
func (m *Manager) input(e *entry, now state.Instant) workload.Input {
	in := workload.Input{Now: now.Wall, Pods: m.podsIn(e.key.Namespace, now), Sequence: e.sequence, CreateError: e.createError, HoldUntil: e.heldUntil(now)}
	switch e.key.Kind {
	case kindDeployment:
		in.ReplicaSets = childrenOf[*appsv1.ReplicaSet](m, e.key.Namespace)
	case kindCron:
		in.ClockUnset = now.Wall.Unix() < clockSet
		in.Jobs = childrenOf[*batchv1.Job](m, e.key.Namespace)
	case kindStateful:
		in.Revisions = childrenOf[*appsv1.ControllerRevision](m, e.key.Namespace)
		for _, o := range m.Objects.List(kindClaim) {
			if o.Namespace == e.key.Namespace {
				in.Claims = append(in.Claims, o.Value.(*corev1.PersistentVolumeClaim))
			}
		}
	case kindDaemon:
		in.Revisions = childrenOf[*appsv1.ControllerRevision](m, e.key.Namespace)
		in.Node = m.Loop.Node()
	case kindBudget:
		in.Scales = m.scales(e.key.Namespace)
	}
	return in
}

// childrenOf lists the objects of a kind in a namespace.
func childrenOf[O workload.Object](m *Manager, namespace string) []O {
	var list []O
	for _, e := range m.sorted() {
		if o, ok := e.object.(O); ok && e.key.Namespace == namespace {
			list = append(list, o)
		}
	}
	return list
}

// scales are the numbers of pods that the controllers of a namespace want. A ReplicaSet of a Deployment counts as that.
func (m *Manager) scales(namespace string) map[types.UID]workload.Scale {
	scales := map[types.UID]workload.Scale{}
	for uid, e := range m.entries {
		if e.key.Namespace != namespace {
			continue
		}
		o := e.object
		if up := m.entries[e.parent]; up != nil && e.key.Kind == kindReplicaSet {
			o = up.object
		}
		if n := replicasOf(o); n != nil {
			scales[uid] = workload.Scale{Of: o.GetUID(), Replicas: *n}
		}
	}
	return scales
}

func replicasOf(o workload.Object) *int32 {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Spec.Replicas
	case *appsv1.ReplicaSet:
		return o.Spec.Replicas
	case *appsv1.StatefulSet:
		return o.Spec.Replicas
	case *corev1.ReplicationController:
		return o.Spec.Replicas
	}
	return nil
}

// compute asks the controller of an object's kind for its next step.
func compute(o workload.Object, in workload.Input) workload.Result {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return deployment.Compute(o, in)
	case *appsv1.ReplicaSet:
		return replicaset.Compute(o, in)
	case *corev1.ReplicationController:
		return replicaset.ComputeController(o, in)
	case *appsv1.StatefulSet:
		return statefulset.Compute(o, in)
	case *appsv1.DaemonSet:
		return daemonset.Compute(o, in)
	case *batchv1.Job:
		return job.Compute(o, in)
	case *batchv1.CronJob:
		return cronjob.Compute(o, in)
	case *policyv1.PodDisruptionBudget:
		return disruption.Compute(o, in)
	}
	return workload.Result{Sequence: in.Sequence}
}
