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

	"podd/internal/objectmeta"
	"podd/runtime/api/hub"
	"podd/runtime/manifest/annotation"
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

// stepper lets a controller look at one object, and carries out what it decides.
type stepper struct{ m *Manager }

func (m *Manager) stepper() stepper { return stepper{m} }

// mostSteps is more than a controller needs to come to rest; one that does not is left until something changes.
const mostSteps = 200

// Due says whether a controller has something to look at.
func (m *Manager) Due(now state.Instant) bool {
	if !m.taken {
		return false
	}
	if m.ownersGone {
		return true
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
			m.stepper().step(e, now)
			again = true
		}
		if !again && m.claimsOf().collectClaims(now) {
			again = true
		}
	}
	m.treeFiles().write()
}

// step computes one step of a controller, and carries it out.
func (st stepper) step(e *entry, now state.Instant) {
	res := compute(e.object, st.input(e, now))
	e.wake = res.Wake
	root := st.m.root(e)
	e.sequence = max(e.sequence, res.Sequence)
	if res.Object != nil {
		st.replace(e, res.Object, now)
	}
	for _, child := range res.Write {
		st.writeChild(e, child, now)
	}
	create := res.Create
	if e.createError != "" {
		create = nil
	}
	if e.key.Kind == kindJob && (len(res.Update) > 0 || res.Object != nil) {
		// What is counted is durable before the pods that it was counted of are let go.
		st.m.treeFiles().save(e)
		st.m.treeFiles().write()
	}
	made := create
	for i, pod := range create {
		if err := st.createPod(e, root, pod, now); err != nil {
			e.createError = err.Error()
			st.m.RecordEvent(now.Wall, e.reference(), corev1.EventTypeWarning, "FailedCreate", "Error creating: "+e.createError)
			made = create[:i]
			break
		}
	}
	st.recordEvents(e, &res, made, now)
	for _, pod := range res.Update {
		st.updatePod(pod, now)
	}
	for _, pod := range res.Delete {
		st.deletePod(root, pod, now)
	}
	for _, child := range res.Remove {
		st.remove(child, now)
	}
	if !res.Settled() || e.createError != "" && len(create) > 0 {
		st.m.treeFiles().save(e)
		// A result that only wants what cannot be had is the last one until something changes.
		stuck := e.createError != "" && len(create) == 0 && res.Object == nil && len(res.Write)+len(res.Update)+len(res.Delete)+len(res.Remove) == 0
		e.dirty = e.dirty || !stuck
		st.markUpOf(e)
	}
	st.m.rollbacks().checkProgress(e, now)
}

// recordEvents records what a step has to say, but of pods that could not be made.
func (st stepper) recordEvents(e *entry, res *workload.Result, made []*corev1.Pod, now state.Instant) {
	for _, ev := range res.Events {
		about := func(p *corev1.Pod) bool { return strings.Contains(ev.Message, p.Name) }
		if ev.Reason == "SuccessfulCreate" && slices.ContainsFunc(res.Create, about) && !slices.ContainsFunc(made, about) {
			continue
		}
		st.m.RecordEvent(now.Wall, e.reference(), ev.Type, ev.Reason, ev.Message)
	}
}

// markUpOf looks again at those that an entry was made for.
func (st stepper) markUpOf(e *entry) {
	st.m.markUp(st.m.entries[e.parent])
	st.m.markScales(e)
}

// replace takes what a controller says of its own object.
func (st stepper) replace(e *entry, o workload.Object, now state.Instant) {
	st.m.overrides().noteOverridden(e, o)
	e.object = o
	st.m.treeFiles().save(e)
	st.show(e)
}

// show publishes an entry, with what is wrong with its file.
func (st stepper) show(e *entry) {
	o := objects.ShallowCopy[hub.Object](e.object)
	if p, ok := st.m.refused[e.key]; ok && e.parent == "" {
		annotation.SetProblem(o, p.problem.Reason, p.problem.Message, p.since)
	}
	st.m.Store.SetObject(e.key.Kind, o)
}

func (st stepper) createPod(e, root *entry, pod *corev1.Pod, now state.Instant) error {
	origin := root.origin
	origin.Pins = root.pinsFor(pod)
	if err := st.m.Loop.CreatePod(pod, origin, now); err != nil {
		return err
	}
	if st.m.pods[pod.UID] == nil {
		p := *pod
		p.Status.Phase = corev1.PodPending
		st.m.pods[pod.UID] = &p
	}
	return nil
}

// writeChild makes or replaces a child.
func (st stepper) writeChild(e *entry, o workload.Object, now state.Instant) {
	key := objects.Key{Kind: kindOf(o), Namespace: o.GetNamespace(), Name: o.GetName()}
	if claim, ok := o.(*corev1.PersistentVolumeClaim); ok {
		st.m.claimsOf().writeClaim(key, claim, now)
		return
	}
	child := st.m.entries[o.GetUID()]
	if child == nil {
		if taken := st.m.names[key]; taken != "" && st.m.entries[taken] != nil {
			// It is known under another UID, as of a state that was lost: the new one takes its place.
			st.m.drop(st.m.entries[taken])
		}
		if j, ok := o.(*batchv1.Job); ok {
			kinds.CompleteJob(j)
			complete(j)
		}
		objectmeta.Of(o).Generation = max(objectmeta.Of(o).Generation, 1)
		child = &entry{key: key, object: o, parent: e.object.GetUID()}
		st.m.add(child)
		st.m.treeFiles().save(child)
		st.show(child)
		return
	}
	if spec := specOf(o); spec != nil && !sameJSON(spec, specOf(child.object)) {
		objectmeta.Of(o).Generation = objectmeta.Of(child.object).Generation + 1
	}
	takeStatus(o, child.object)
	child.object, child.dirty = o, true
	st.m.treeFiles().save(child)
	st.show(child)
	st.m.markScales(child)
}

// remove removes a child, with what it owns.
func (st stepper) remove(o workload.Object, now state.Instant) {
	if claim, ok := o.(*corev1.PersistentVolumeClaim); ok {
		st.m.claimsOf().removeClaim(objects.Key{Kind: kindClaim, Namespace: claim.Namespace, Name: claim.Name}, now)
		return
	}
	if e := st.m.entries[o.GetUID()]; e != nil {
		noteOver(st.m, e)
		st.cascade(e, now)
	}
}

// cascade ends an entry with all that it owns. Pods of the folder that were adopted are let go.
func (st stepper) cascade(e *entry, now state.Instant) {
	uid := e.object.GetUID()
	for _, child := range st.m.sorted() {
		if child.parent == uid {
			st.cascade(child, now)
		}
	}
	for _, p := range st.podsIn(e.key.Namespace, now) {
		if controllerOf(p) != uid {
			continue
		}
		if st.m.Loop.Made(p.UID) && !st.m.ghosts[p.UID] {
			st.m.ending[p.UID] = true
			st.m.Loop.DeletePod(p.UID, now)
			continue
		}
		free := *p
		free.OwnerReferences, free.Finalizers = nil, nil
		st.updatePod(&free, now)
	}
	st.m.treeFiles().save(e)
	st.m.drop(e)
	st.m.markNamespace(e.key.Namespace)
}

// input is what a controller looks at.
func (st stepper) input(e *entry, now state.Instant) workload.Input {
	in := workload.Input{Now: now.Wall, Pods: st.podsIn(e.key.Namespace, now), Sequence: e.sequence, CreateError: e.createError, HoldUntil: e.heldUntil(now)}
	switch e.key.Kind {
	case kindDeployment:
		in.ReplicaSets = childrenOf[*appsv1.ReplicaSet](st.m, e.key.Namespace)
	case kindCron:
		in.ClockUnset = now.Wall.Unix() < clockSet
		in.Jobs = childrenOf[*batchv1.Job](st.m, e.key.Namespace)
	case kindStateful:
		in.Revisions = childrenOf[*appsv1.ControllerRevision](st.m, e.key.Namespace)
		for _, o := range st.m.Objects.List(kindClaim) {
			if o.Namespace == e.key.Namespace {
				in.Claims = append(in.Claims, o.Value.(*corev1.PersistentVolumeClaim))
			}
		}
	case kindDaemon:
		in.Revisions = childrenOf[*appsv1.ControllerRevision](st.m, e.key.Namespace)
		in.Node = st.m.Loop.Node()
	case kindBudget:
		in.Scales = st.scales(e.key.Namespace)
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

// scales are the numbers of pods that the controllers of a namespace want.
func (st stepper) scales(namespace string) map[types.UID]workload.Scale {
	scales := map[types.UID]workload.Scale{}
	for uid, e := range st.m.entries {
		if e.key.Namespace != namespace {
			continue
		}
		s, ok := workload.ScaleOf(e.object, func(uid types.UID) workload.Object {
			if up := st.m.entries[uid]; up != nil {
				return up.object
			}
			return nil
		})
		if ok {
			scales[uid] = s
		}
	}
	return scales
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
