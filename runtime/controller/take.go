package controller

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/internal/objectmeta"
	"podd/runtime/manifest"
	"podd/runtime/manifest/kinds"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/workload"
	"podd/runtime/workload/job"
)

// claimsOf are the claims that StatefulSets have made.
type claimsOf struct{ m *Manager }

func (m *Manager) claimsOf() claimsOf { return claimsOf{m} }

// Take brings the workloads into line with what the folder says. What the folder may still have, in a file that cannot be
// read now, stays.
func (m *Manager) Take(set *manifest.Set, now state.Instant) {
	there := map[objects.Key]bool{}
	m.unfollowed = nil
	for _, kind := range []string{kindDeployment, kindReplicaSet, kindStateful, kindDaemon, kindJob, kindCron, kindController, kindBudget} {
		for _, o := range m.Objects.List(kind) {
			there[objects.KeyOf(o)] = true
			if !isOver(m, o) {
				m.takeObject(o, now)
			}
		}
	}
	for _, e := range m.sorted() {
		if e.parent == "" && !there[e.key] && !set.Hides(e.key.Kind, e.key.Namespace, e.key.Name) {
			m.stepper().cascade(e, now)
		}
	}
	forgetOver(m, set)
	m.taken, m.ownersGone = true, true
	m.collect(set, now)
	m.treeFiles().write()
}

// takeObject makes a version of an object of the folder the present one.
func (m *Manager) takeObject(o *manifest.Object, now state.Instant) {
	key := objects.KeyOf(o)
	e := m.get(key.Kind, key.Namespace, key.Name)
	if e != nil && e.parent != "" {
		m.RecordEvent(now.Wall, key.Reference(), corev1.EventTypeWarning, "AlreadyExists",
			o.File+": "+key.Kind+" "+key.Name+" exists already: it was made by a controller; give this one another name")
		return
	}
	if e == nil {
		e = &entry{key: key, ended: map[types.UID]bool{}}
		e.origin = Origin{File: o.File, Doc: o.Doc, Since: o.Since}
		value := o.Value.DeepCopyObject().(workload.Object)
		meta := objectmeta.Of(value)
		meta.UID, meta.CreationTimestamp, meta.Generation = m.newUID(o, now), metav1.NewTime(now.Wall), 1
		complete(value)
		numberTemplate(value, nil)
		e.object, e.hash = value, o.Hash
		m.add(e)
		m.treeFiles().save(e)
		m.stepper().show(e)
		return
	}
	e.origin.File, e.origin.Doc = o.File, o.Doc
	if e.hash == o.Hash {
		return
	}
	if errs := immutable(e.object, o); len(errs) > 0 {
		m.unfollowed = append(m.unfollowed, manifest.ImmutableOf(o, errs))
		return
	}
	value := o.Value.DeepCopyObject().(workload.Object)
	meta, old := objectmeta.Of(value), objectmeta.Of(e.object)
	meta.UID, meta.CreationTimestamp, meta.OwnerReferences = old.UID, old.CreationTimestamp, old.OwnerReferences
	meta.Annotations = withOwn(meta.Annotations, old.Annotations)
	complete(value)
	value = e.override(value)
	numberTemplate(value, e.object)
	meta = objectmeta.Of(value)
	meta.Generation = old.Generation
	if !sameJSON(specOf(value), specOf(e.object)) {
		meta.Generation++
	}
	takeStatus(value, e.object)
	e.object, e.hash, e.dirty, e.createError = value, o.Hash, true, ""
	clear(e.ended)
	m.failures().forgive(e)
	m.treeFiles().save(e)
	m.stepper().show(e)
	m.markScales(e)
}

// immutable says why a version cannot follow the present one. Of most edits while podd runs the folder says so; of one that was made
// while it did not run, and of one that depends on the status, only the object tells. Both have the defaults of this podd.
func immutable(before workload.Object, after *manifest.Object) field.ErrorList {
	rules := kinds.Of(after.Kind)
	if rules == nil || rules.Update == nil {
		return nil
	}
	was, ok := before.DeepCopyObject().(kinds.Value)
	if !ok {
		return nil
	}
	if rules.Prepare != nil {
		rules.Prepare(was)
		takeStatus(was, before)
	}
	return rules.Update(was, after.Value)
}

// newUID names a new object. Where pods run that were made for one of its name, of which nothing else is known any more, it
// is the one that they were made for.
func (m *Manager) newUID(o *manifest.Object, now state.Instant) types.UID {
	for _, p := range m.pods {
		if ref := metav1.GetControllerOfNoCopy(p); ref != nil && p.Namespace == o.Namespace && ref.Kind == o.Kind && ref.Name == o.Name && m.entries[ref.UID] == nil && !m.ending[p.UID] {
			return ref.UID
		}
	}
	return workload.ChildUID(o.UID, now.Wall.UnixNano(), o.Name)
}

// complete does what the API server does when an object is created.
func complete(o workload.Object) {
	j, ok := o.(*batchv1.Job)
	if !ok || j.Spec.Selector != nil {
		return
	}
	j.Spec.Template.Labels = maps.Clone(j.Spec.Template.Labels) // the template may be a CronJob's
	job.GenerateSelector(j)
}

// numberTemplate counts the templates that a DaemonSet has had, as the API server does in an annotation.
func numberTemplate(o, before workload.Object) {
	d, ok := o.(*appsv1.DaemonSet)
	if !ok {
		return
	}
	n := int64(1)
	if b, ok := before.(*appsv1.DaemonSet); ok {
		n, _ = strconv.ParseInt(b.Annotations[appsv1.DeprecatedTemplateGeneration], 10, 64)
		if !sameJSON(b.Spec.Template, d.Spec.Template) {
			n++
		}
	}
	d.Annotations = maps.Clone(d.Annotations)
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[appsv1.DeprecatedTemplateGeneration] = strconv.FormatInt(max(n, 1), 10)
}

// withOwn keeps the annotations that are the controller's.
func withOwn(annotations, before map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range before {
		if strings.HasPrefix(k, "deployment.kubernetes.io/") || k == appsv1.DeprecatedTemplateGeneration {
			out[k] = v
		}
	}
	maps.Copy(out, annotations)
	if len(out) == 0 {
		return nil
	}
	return out
}

func sameJSON(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// collect ends pods whose owner is gone, and children without a parent: a daemon died before it could.
func (m *Manager) collect(set *manifest.Set, now state.Instant) {
	for _, e := range m.sorted() {
		if e.parent != "" && m.entries[e.parent] == nil && m.entries[e.object.GetUID()] == e {
			m.stepper().cascade(e, now)
		}
	}
	for uid, p := range m.pods {
		ref := metav1.GetControllerOfNoCopy(p)
		if ref == nil || m.entries[ref.UID] != nil || m.ending[uid] {
			continue
		}
		switch {
		case m.ghosts[uid]:
			delete(m.pods, uid)
			delete(m.ghosts, uid)
		case !m.Loop.Made(uid):
			m.stepper().release(p, now)
		case isLost(m, p.Namespace, ref, set):
			m.stepper().release(p, now)
		case !set.Gone && !set.Unread:
			m.ending[uid] = true
			m.Loop.DeletePod(uid, now)
		}
	}
	if !set.Gone && !set.Unread {
		clear(m.lost)
	}
}

// isLost says of an owner that nobody knows that it was made for an object of the folder of which a file was damaged. Its pods run
// on: the ReplicaSet that is made again adopts them, and those of a CronJob's Job run to their end.
func isLost(m *Manager, namespace string, owner *metav1.OwnerReference, set *manifest.Set) bool {
	maker, made := map[string]string{kindReplicaSet: kindDeployment, kindJob: kindCron}[owner.Kind]
	dash := strings.LastIndexByte(owner.Name, '-')
	if !made || dash < 0 {
		return false
	}
	key := objects.Key{Kind: maker, Namespace: namespace, Name: owner.Name[:dash]}
	return m.lost[fileName(key)] && (m.names[key] != "" || set.Hides(key.Kind, key.Namespace, key.Name))
}

// writeClaim makes a claim, or gives it other owners.
func (co claimsOf) writeClaim(key objects.Key, claim *corev1.PersistentVolumeClaim, now state.Instant) {
	if o := co.m.Objects.Get(key.Kind, key.Namespace, key.Name); o != nil && o.File != "" {
		return // it is of the folder, which says what it is
	}
	co.m.claims[key] = &manifest.Object{
		Kind: key.Kind, Namespace: key.Namespace, Name: key.Name, UID: claim.UID, Hash: string(claim.UID), Since: now.Wall, Value: claim,
	}
	co.claimsChanged(now)
}

func (co claimsOf) removeClaim(key objects.Key, now state.Instant) {
	if co.m.claims[key] != nil {
		delete(co.m.claims, key)
		co.claimsChanged(now)
	}
}

// collectClaims removes the claims whose owners are all gone, and that no pod uses any more, as a cluster's garbage collector
// does: those of a StatefulSet whose policy is Delete. It says whether there were any.
func (co claimsOf) collectClaims(now state.Instant) (some bool) {
	m := co.m
	if !m.ownersGone {
		return false
	}
	m.ownersGone = false
	for key, o := range m.claims {
		claim := o.Value.(*corev1.PersistentVolumeClaim)
		gone := func(ref metav1.OwnerReference) bool { return m.entries[ref.UID] == nil && m.pods[ref.UID] == nil }
		if len(claim.OwnerReferences) == 0 || slices.ContainsFunc(claim.OwnerReferences, func(ref metav1.OwnerReference) bool { return !gone(ref) }) || co.usesClaim(key) {
			continue
		}
		delete(m.claims, key)
		m.markNamespace(key.Namespace) // a pod may wait until the claim of its name is gone
		some = true
	}
	if some {
		co.claimsChanged(now)
	}
	return some
}

func (co claimsOf) usesClaim(key objects.Key) bool {
	for _, p := range co.m.pods {
		for i := range p.Spec.Volumes {
			if c := p.Spec.Volumes[i].PersistentVolumeClaim; c != nil && c.ClaimName == key.Name && p.Namespace == key.Namespace && !workload.Terminal(p) {
				return true
			}
		}
	}
	return false
}

func (co claimsOf) claimsChanged(now state.Instant) {
	co.m.treeFiles().saveClaims()
	co.m.Loop.ClaimsChanged(co.m.Objects.SetMade(co.madeClaims()), now)
}

func (co claimsOf) madeClaims() []manifest.Object {
	var list []manifest.Object
	for _, o := range co.m.claims {
		list = append(list, *o)
	}
	return list
}
