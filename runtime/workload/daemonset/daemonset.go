// Package daemonset keeps one pod on the board, if the board is one that the DaemonSet is for.
package daemonset

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
)

var kind = appsv1.SchemeGroupVersion.WithKind("DaemonSet")

// step is one look at a DaemonSet.
type step struct {
	d     *appsv1.DaemonSet
	in    *workload.Input
	res   workload.Result
	namer *workload.Namer

	all  []*corev1.Pod // the set's pods, the oldest first
	pods []*corev1.Pod // of these all but those that have ended and are to go
	fit  fitness

	revisions  []*appsv1.ControllerRevision // the oldest first, without the present one
	hash       string                       // of the present template
	collisions *int32
}

// Compute is one step of a DaemonSet. It wants the pods and ControllerRevisions of its namespace, and the Node.
func Compute(d *appsv1.DaemonSet, in workload.Input) workload.Result {
	s := &step{d: d, in: &in, namer: workload.NewNamer(d.UID, &in), collisions: d.Status.CollisionCount}
	if d.DeletionTimestamp != nil {
		return workload.Result{Sequence: in.Sequence}
	}
	s.claim()
	s.revise()
	s.fit = fits(d, in.Node)
	s.manage()
	// A change of the template waits until all pods are there that there should be.
	if len(s.res.Create)+len(s.res.Delete) == 0 && d.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		s.roll()
	}
	s.truncate()
	s.res.Sequence = s.namer.Sequence()
	if status := s.status(); !equality.Semantic.DeepEqual(status, d.Status) {
		changed := *d
		changed.Status = status
		s.res.Object = &changed
	}
	return s.res
}

func (s *step) claim() {
	ref := *metav1.NewControllerRef(s.d, kind)
	s.all, s.res.Update = workload.ClaimPods(s.d, ref, workload.Selector(s.d.Spec.Selector), s.in.Pods, nil)
	slices.SortStableFunc(s.all, func(a, b *corev1.Pod) int {
		switch {
		case a.Spec.NodeName != "" && b.Spec.NodeName == "":
			return -1
		case a.Spec.NodeName == "" && b.Spec.NodeName != "":
			return 1
		}
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for _, p := range s.all {
		if !workload.Terminal(p) || p.DeletionTimestamp == nil {
			s.pods = append(s.pods, p)
		}
	}
}

// isNew says whether a pod is of the present template: by its hash or, as earlier versions of Kubernetes did, by number.
func (s *step) isNew(p *corev1.Pod) bool {
	n, ok := s.d.Annotations[appsv1.DeprecatedTemplateGeneration]
	return p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == s.hash || ok && p.Labels[templateGeneration] == n
}

// templateGeneration is a label that pods have for readers of old; it is of extensions/v1beta1.
const templateGeneration = "pod-template-generation"

func (s *step) available(p *corev1.Pod) bool {
	return workload.Available(p, s.d.Spec.MinReadySeconds, s.in.Now)
}

// manage makes the pod that is missing, and ends those that have ended, are too many, or have no business here.
func (s *step) manage() {
	switch {
	case s.fit.run && len(s.pods) == 0:
		s.create()
		return
	case !s.fit.stay:
		for _, p := range s.pods {
			s.end(p)
		}
		return
	}
	var running []*corev1.Pod
	for _, p := range s.pods {
		switch {
		case p.DeletionTimestamp != nil:
		case p.Status.Phase == corev1.PodFailed:
			s.endFailed(p)
		case p.Status.Phase == corev1.PodSucceeded:
			s.res.Normal("SucceededDaemonPod", fmt.Sprintf("Found succeeded daemon pod %s/%s on node %s, will try to delete it", p.Namespace, p.Name, s.in.Node.Name))
			s.end(p)
		default:
			running = append(running, p)
		}
	}
	if surge, _ := s.limits(); surge == 0 {
		for _, p := range running[min(1, len(running)):] {
			s.end(p)
		}
		return
	}
	if len(running) == 0 && s.fit.run {
		s.create()
	}
	if len(running) > 1 {
		s.endSurplus(running)
	}
}

// endFailed lets a pod that has failed go, and so makes place for the next.
func (s *step) endFailed(p *corev1.Pod) {
	if s.in.HoldUntil.After(s.in.Now) {
		s.res.WakeAt(s.in.HoldUntil)
		return
	}
	s.res.Warning("FailedDaemonPod", fmt.Sprintf("Found failed daemon pod %s/%s on node %s, will try to kill it", p.Namespace, p.Name, s.in.Node.Name))
	s.end(p)
}

// endSurplus leaves one pod of the present template and, as long as that does not serve and the other one does, one of an
// earlier.
func (s *step) endSurplus(running []*corev1.Pod) {
	var recent, old *corev1.Pod
	for _, p := range running {
		switch {
		case p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == s.hash && recent == nil:
			recent = p
		case p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] != s.hash && old == nil:
			old = p
		default:
			s.end(p)
		}
	}
	if recent != nil && old != nil && (!workload.Ready(old) || s.available(recent)) {
		s.end(old)
	}
}

// roll replaces a pod of an earlier template.
func (s *step) roll() {
	var recent, old *corev1.Pod
	for _, p := range s.pods {
		switch {
		case p.DeletionTimestamp != nil:
		case s.isNew(p) && recent == nil:
			recent = p
		case !s.isNew(p) && old == nil:
			old = p
		default:
			return // there are too many; they go first
		}
	}
	if old == nil {
		return
	}
	surge, unavailable := s.limits()
	switch {
	case surge == 0:
		if recent == nil && (!s.available(old) || unavailable > 0) {
			s.end(old)
		}
	case recent != nil:
		if s.available(recent) {
			s.end(old)
		}
	case s.fit.run:
		s.create()
	default:
		// It tolerates to stay on a board for which it is not made any more, and is of an earlier template.
		s.end(old)
	}
}

// limits are how many pods more, and how many fewer, there may be while they are replaced. There is one board at most.
func (s *step) limits() (surge, unavailable int) {
	boards := 0
	if s.fit.run {
		boards = 1
	}
	u := s.d.Spec.UpdateStrategy
	if u.Type != appsv1.RollingUpdateDaemonSetStrategyType || u.RollingUpdate == nil {
		return 0, 0
	}
	scaled := func(n *intstr.IntOrString, of int) int {
		if n == nil {
			return 0
		}
		v, err := intstr.GetScaledValueFromIntOrPercent(n, of, true)
		if err != nil {
			return 0
		}
		return v
	}
	surge, unavailable = scaled(u.RollingUpdate.MaxSurge, 1), scaled(u.RollingUpdate.MaxUnavailable, boards)
	if boards > 0 && surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}

func (s *step) create() {
	if s.in.CreateError != "" {
		return
	}
	t := s.d.Spec.Template.DeepCopy()
	t.Spec.Tolerations = tolerations(&t.Spec)
	if t.Labels == nil {
		t.Labels = map[string]string{}
	}
	if n, ok := s.d.Annotations[appsv1.DeprecatedTemplateGeneration]; ok {
		t.Labels[templateGeneration] = n
	}
	t.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] = s.hash
	bind(&t.Spec, s.in.Node.Name)
	p := workload.NewPod(s.d, *metav1.NewControllerRef(s.d, kind), t, s.in)
	p.Name, p.UID = s.namer.Generate(p.GenerateName)
	s.res.Create = append(s.res.Create, p)
	s.res.Normal("SuccessfulCreate", "Created pod: "+p.Name)
}

func (s *step) end(p *corev1.Pod) {
	if p.DeletionTimestamp != nil || slices.Contains(s.res.Delete, p) {
		return
	}
	s.res.Delete = append(s.res.Delete, p)
	s.res.Normal("SuccessfulDelete", "Deleted pod: "+p.Name)
}

// status counts boards: the oldest pod stands for what the one has.
func (s *step) status() appsv1.DaemonSetStatus {
	st := s.d.Status
	st.DesiredNumberScheduled, st.CurrentNumberScheduled, st.NumberMisscheduled = 0, 0, 0
	st.NumberReady, st.NumberAvailable, st.UpdatedNumberScheduled = 0, 0, 0
	st.ObservedGeneration, st.CollisionCount = s.d.Generation, s.collisions
	switch there := len(s.pods) > 0; {
	case s.fit.run:
		st.DesiredNumberScheduled = 1
		if !there {
			break
		}
		st.CurrentNumberScheduled = 1
		p := s.pods[0]
		if workload.Ready(p) {
			st.NumberReady = 1
			if s.available(p) {
				st.NumberAvailable = 1
			}
		}
		if s.isNew(p) {
			st.UpdatedNumberScheduled = 1
		}
	case there:
		st.NumberMisscheduled = 1
	}
	st.NumberUnavailable = st.DesiredNumberScheduled - st.NumberAvailable
	for _, p := range s.pods {
		s.res.WakeAt(workload.AvailableAt(p, s.d.Spec.MinReadySeconds, s.in.Now))
	}
	return st
}
