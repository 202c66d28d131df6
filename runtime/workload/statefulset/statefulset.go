// Package statefulset keeps pods that have a number, and with it a name and claims of their own.
package statefulset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
)

var kind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// step is one look at a StatefulSet.
type step struct {
	s     *appsv1.StatefulSet
	in    *workload.Input
	res   workload.Result
	namer *workload.Namer

	labels    labels.Selector
	pods      []*corev1.Pod
	replicas  []replica // those that the set wants, by number
	condemned []*corev1.Pod
	unhealthy *corev1.Pod               // the first pod that is not available
	later     map[*revision]*corev1.Pod // see laterPod

	revisions       []*appsv1.ControllerRevision
	current, update revision
	collisions      int32
	status          appsv1.StatefulSetStatus
}

// replica is a pod with a number; missing: it is only to be made, later: not now, and another stands for it.
type replica struct {
	*corev1.Pod
	missing, later bool
}

// revision is a template by the name under which it is kept.
type revision struct {
	name     string
	template *corev1.PodTemplateSpec
}

// Compute is one step of a StatefulSet. It wants the pods, claims and ControllerRevisions of its namespace.
func Compute(set *appsv1.StatefulSet, in workload.Input) workload.Result {
	s := &step{
		s: set, in: &in, namer: workload.NewNamer(set.UID, &in), labels: workload.Selector(set.Spec.Selector),
	}
	s.claim()
	s.revise()
	s.sync()
	s.truncate()
	s.complete()
	s.res.Sequence = s.namer.Sequence()
	if !equality.Semantic.DeepEqual(s.status, set.Status) {
		changed := *set
		changed.Status = s.status
		s.res.Object = &changed
	}
	return s.res
}

// claim finds the pods that are the set's: those with its labels and a name of it.
func (s *step) claim() {
	ref := *metav1.NewControllerRef(s.s, kind)
	s.pods, s.res.Update = workload.ClaimPods(s.s, ref, s.labels, s.in.Pods, func(p *corev1.Pod) bool {
		parent, _ := split(p.Name)
		return parent == s.s.Name
	})
}

// split takes a pod's name apart. The number is -1 if there is none.
func split(name string) (parent string, ordinal int) {
	at := strings.LastIndexByte(name, '-')
	if at < 0 || at+1 == len(name) || strings.Trim(name[at+1:], "0123456789") != "" {
		return "", -1
	}
	n, err := strconv.ParseInt(name[at+1:], 10, 32)
	if err != nil {
		return name[:at], -1
	}
	return name[:at], int(n)
}

func ordinal(p *corev1.Pod) int {
	_, n := split(p.Name)
	return n
}

func (s *step) start() int {
	if s.s.Spec.Ordinals == nil {
		return 0
	}
	return int(s.s.Spec.Ordinals.Start)
}

func (s *step) count() int32 {
	if s.s.Spec.Replicas == nil {
		return 1
	}
	return *s.s.Spec.Replicas
}

// has says whether a number is one of the set's.
func (s *step) has(ordinal int) bool {
	return ordinal >= s.start() && ordinal < s.start()+int(s.count())
}

func (s *step) parallel() bool { return s.s.Spec.PodManagementPolicy == appsv1.ParallelPodManagement }

func (s *step) sync() {
	s.status = appsv1.StatefulSetStatus{
		ObservedGeneration: s.s.Generation, CurrentRevision: s.current.name, UpdateRevision: s.update.name,
		CollisionCount: &s.collisions, Conditions: s.s.Status.Conditions,
	}
	s.divide()
	s.tally()
	if s.s.DeletionTimestamp != nil {
		return
	}
	for _, r := range s.replicas {
		if s.settle(r) && !s.parallel() {
			return
		}
	}
	for _, p := range s.condemned {
		s.own(p)
	}
	for _, p := range s.condemned {
		if s.condemn(p) && !s.parallel() {
			return
		}
	}
	if s.s.Spec.UpdateStrategy.Type != appsv1.OnDeleteStatefulSetStrategyType {
		s.roll()
	}
}

// divide puts the pods to their numbers, and thinks up those that are missing. Each number is there once at most, since
// no two pods have one name.
func (s *step) divide() {
	s.replicas = make([]replica, s.count())
	for _, p := range s.pods {
		switch n := ordinal(p); {
		case s.has(n):
			s.replicas[n-s.start()] = replica{Pod: p}
		case n >= 0:
			s.condemned = append(s.condemned, p)
		}
	}
	slices.SortFunc(s.condemned, func(a, b *corev1.Pod) int { return ordinal(b) - ordinal(a) })
	made := 0
	for i := range s.replicas {
		if r := &s.replicas[i]; r.Pod == nil {
			if made++; made <= mostMade && s.in.CreateError == "" {
				*r = replica{Pod: s.newPod(s.start() + i), missing: true}
			} else {
				*r = replica{Pod: s.laterPod(s.start() + i), missing: true, later: true}
			}
		}
		if s.unhealthy == nil && s.unavailable(s.replicas[i].Pod) {
			s.unhealthy = s.replicas[i].Pod
		}
	}
	for _, p := range slices.Backward(s.condemned) {
		if s.unhealthy == nil && s.unavailable(p) {
			s.unhealthy = p
		}
	}
}

func (s *step) available(p *corev1.Pod) bool {
	return workload.Available(p, s.s.Spec.MinReadySeconds, s.in.Now)
}

func (s *step) unavailable(p *corev1.Pod) bool { return !s.available(p) || p.DeletionTimestamp != nil }

func isReady(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning && workload.Ready(p) }

func podRevision(p *corev1.Pod) string { return p.Labels[appsv1.StatefulSetRevisionLabel] }

// tally counts the pods that are there.
func (s *step) tally() {
	for _, p := range s.pods {
		s.status.Replicas++
		if isReady(p) {
			s.status.ReadyReplicas++
			if s.available(p) {
				s.status.AvailableReplicas++
			}
		}
		if p.DeletionTimestamp == nil {
			if podRevision(p) == s.current.name {
				s.status.CurrentReplicas++
			}
			if podRevision(p) == s.update.name {
				s.status.UpdatedReplicas++
			}
		}
		s.res.WakeAt(workload.AvailableAt(p, s.s.Spec.MinReadySeconds, s.in.Now))
	}
}

// complete makes the update the current revision when all pods are of it.
func (s *step) complete() {
	st := &s.status
	if n := s.count(); st.UpdatedReplicas == n && st.ReadyReplicas == n && st.Replicas == n {
		st.CurrentReplicas, st.CurrentRevision = st.UpdatedReplicas, st.UpdateRevision
	}
}

// mostMade is how many pods, with their claims, are made at one look: the others' turn comes when these could be. A cluster begins
// with one and doubles that.
const mostMade = 32

// laterPod stands for the pods of a revision that are not made at this look: thousands of them cost nothing.
func (s *step) laterPod(n int) *corev1.Pod {
	of := s.revisionFor(n)
	if s.later[of] == nil {
		if s.later == nil {
			s.later = map[*revision]*corev1.Pod{}
		}
		s.later[of] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{appsv1.StatefulSetRevisionLabel: of.name}}}
	}
	return s.later[of]
}

// revisionFor is the revision that a new pod of a number is to have now.
func (s *step) revisionFor(n int) *revision {
	rolling := s.s.Spec.UpdateStrategy.RollingUpdate
	switch {
	case rolling != nil && n < s.start()+partition(rolling),
		rolling == nil && s.s.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType &&
			n < s.start()+int(s.s.Status.CurrentReplicas):
		return &s.current
	}
	return &s.update
}

// newPod is the pod of a number, of the revision that it is to have now. It has no UID yet.
func (s *step) newPod(n int) *corev1.Pod {
	r := s.revisionFor(n)
	p := workload.NewPod(s.s, *metav1.NewControllerRef(s.s, kind), r.template, s.in)
	p.GenerateName = s.s.Name + "-"
	p.Name = s.s.Name + "-" + strconv.Itoa(n)
	p.Labels = maps.Clone(p.Labels)
	s.label(p)
	p.Labels[appsv1.StatefulSetRevisionLabel] = r.name
	p.Spec.Hostname, p.Spec.Subdomain = p.Name, s.s.Spec.ServiceName
	p.Spec.Volumes = s.volumes(p.Spec.Volumes, n)
	return p
}

func partition(r *appsv1.RollingUpdateStatefulSetStrategy) int {
	if r.Partition == nil {
		return 0
	}
	return int(*r.Partition)
}

// label gives a pod the labels of its number. The map is the caller's.
func (s *step) label(p *corev1.Pod) {
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	p.Labels[appsv1.StatefulSetPodNameLabel] = p.Name
	p.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal(p))
}

func (s *step) event(verb, reason string, p *corev1.Pod) {
	s.res.Normal("Successful"+reason, fmt.Sprintf("%s Pod %s in StatefulSet %s successful", verb, p.Name, s.s.Name))
}

func (s *step) failed(verb string, p *corev1.Pod, why string) {
	s.res.Warning("Failed"+verb, fmt.Sprintf("%s Pod %s in StatefulSet %s failed error: %s", verb, p.Name, s.s.Name, why))
}

func (s *step) end(p *corev1.Pod) {
	s.res.Delete = append(s.res.Delete, p)
	s.event("Delete", "Delete", p)
}

// settle brings one number to where it should be. It says whether numbers after it have to wait.
func (s *step) settle(r replica) (wait bool) {
	if workload.Terminal(r.Pod) {
		if s.in.HoldUntil.After(s.in.Now) {
			s.res.WakeAt(s.in.HoldUntil)
			return true
		}
		// Whatever its exit code: the next look finds its number free.
		if r.DeletionTimestamp == nil {
			s.end(r.Pod)
		}
		return true
	}
	if r.missing {
		if !r.later {
			s.create(r.Pod)
		}
		return true
	}
	if r.Status.Phase == corev1.PodPending && !s.ensureClaims(r.Pod) {
		return true
	}
	if !s.parallel() && (r.DeletionTimestamp != nil || !isReady(r.Pod) || !s.available(r.Pod)) {
		return true
	}
	changed := s.own(r.Pod)
	if r.Labels[appsv1.StatefulSetPodNameLabel] != r.Name {
		p := *r.Pod
		p.Labels = maps.Clone(r.Labels)
		s.label(&p)
		s.rewrite(&p)
		changed = true
	}
	if changed {
		s.event("Update", "Update", r.Pod)
	}
	return false
}

// rewrite notes that the metadata of a pod is written, as it is last.
func (s *step) rewrite(p *corev1.Pod) {
	for i, q := range s.res.Update {
		if q.UID == p.UID {
			s.res.Update[i] = p
			return
		}
	}
	s.res.Update = append(s.res.Update, p)
}

func (s *step) create(p *corev1.Pod) {
	if s.in.CreateError != "" || s.isStale(p) {
		return
	}
	if slices.ContainsFunc(s.in.Pods, func(q *corev1.Pod) bool { return q.Name == p.Name && q.Namespace == p.Namespace }) {
		s.failed("Create", p, fmt.Sprintf("pods %q already exists", p.Name))
		return
	}
	p.UID = s.namer.Fixed(p.Name)
	if !s.ensureClaims(p) {
		return
	}
	s.res.Create = append(s.res.Create, p)
	s.event("Create", "Create", p)
}

// condemn ends a pod whose number the set has no more. It says whether lower numbers have to wait: they end only when
// all others serve, but for the first that does not. For a pod that has ended nobody waits, other than in
// kube-controller-manager, where two of these keep each other.
func (s *step) condemn(p *corev1.Pod) (wait bool) {
	if p.DeletionTimestamp != nil {
		return true
	}
	if !s.parallel() && p != s.unhealthy && !workload.Terminal(p) && (!isReady(p) || !s.available(p)) {
		return true
	}
	s.end(p)
	return true
}

// roll ends pods of old revisions from the highest number down, as many as may be unavailable.
func (s *step) roll() {
	least, most := 0, 1
	if r := s.s.Spec.UpdateStrategy.RollingUpdate; r != nil {
		least = partition(r)
		if r.MaxUnavailable != nil {
			if n, err := intstr.GetScaledValueFromIntOrPercent(r.MaxUnavailable, int(s.count()), false); err == nil {
				most = max(n, 1)
			}
		}
	}
	old := func(r replica) bool { return podRevision(r.Pod) != s.update.name }
	missing, idle := 0, 0
	for _, r := range s.replicas {
		if s.unavailable(r.Pod) {
			missing++
			if s.parallel() && old(r) && r.DeletionTimestamp == nil {
				idle++
			}
		}
	}
	if missing >= most && idle == 0 {
		return
	}
	targets := s.replicas[min(least, len(s.replicas)):]
	end := func(r replica) {
		s.end(r.Pod)
		s.status.CurrentReplicas--
	}
	if s.parallel() {
		// Those that do not serve anyhow cost nothing.
		for _, r := range slices.Backward(targets) {
			if old(r) && !r.missing && !s.available(r.Pod) && r.DeletionTimestamp == nil {
				end(r)
			}
		}
	}
	budget := most - missing
	for _, r := range slices.Backward(targets) {
		if budget <= 0 {
			return
		}
		if !old(r) || r.missing || r.DeletionTimestamp != nil || s.parallel() && !s.available(r.Pod) {
			continue
		}
		end(r)
		budget--
	}
}
