package workload

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodCondition is the condition of a type; nil: there is none.
func PodCondition(p *corev1.Pod, typ corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == typ {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// Ready says whether the pod serves.
func Ready(p *corev1.Pod) bool {
	c := PodCondition(p, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// AvailableAt is when a pod that is ready counts as available; zero: it does already, or never will as it is.
func AvailableAt(p *corev1.Pod, minReadySeconds int32, now time.Time) time.Time {
	c := PodCondition(p, corev1.PodReady)
	if c == nil || c.Status != corev1.ConditionTrue || minReadySeconds <= 0 || c.LastTransitionTime.IsZero() {
		return time.Time{}
	}
	if at := c.LastTransitionTime.Add(time.Duration(minReadySeconds) * time.Second); at.After(now) {
		return at
	}
	return time.Time{}
}

// Available says whether a pod has been ready for minReadySeconds.
func Available(p *corev1.Pod, minReadySeconds int32, now time.Time) bool {
	c := PodCondition(p, corev1.PodReady)
	switch {
	case c == nil || c.Status != corev1.ConditionTrue:
		return false
	case minReadySeconds == 0:
		return true
	}
	return !c.LastTransitionTime.IsZero() && AvailableAt(p, minReadySeconds, now).IsZero()
}

// Terminal says whether a pod has ended for good.
func Terminal(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// Active says whether a pod counts as a replica: it has not ended and is not to end.
func Active(p *corev1.Pod) bool { return !Terminal(p) && p.DeletionTimestamp == nil }

// Terminating says whether a pod is to end and has not yet.
func Terminating(p *corev1.Pod) bool { return !Terminal(p) && p.DeletionTimestamp != nil }

// ByDeletion compares two active pods of a ReplicaSet: the one that is missed less is smaller. Pods without a board come
// first, then those that do not run, those that are not ready, those with a lower deletion cost, those that are ready for
// a shorter time, those that have restarted more often, and the younger ones. Times are compared on a scale of powers of
// two, so that which of many equal pods goes is a matter of chance, which here is their UID.
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
func ByDeletion(now time.Time) func(a, b *corev1.Pod) int {
	return func(a, b *corev1.Pod) int {
		if c := compareFalse(a.Spec.NodeName != "", b.Spec.NodeName != ""); c != 0 {
			return c
		}
		if c := cmp.Compare(phaseOrder(a), phaseOrder(b)); c != 0 {
			return c
		}
		if c := compareFalse(Ready(a), Ready(b)); c != 0 {
			return c
		}
		if c := cmp.Compare(deletionCost(a), deletionCost(b)); c != 0 {
			return c
		}
		if Ready(a) {
			ta, tb := readySince(a), readySince(b)
			if !ta.Equal(&tb) {
				return compareAge(a, b, ta, tb, now)
			}
		}
		if c := compareRestarts(b, a); c != 0 {
			return c
		}
		if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
			return compareAge(a, b, a.CreationTimestamp, b.CreationTimestamp, now)
		}
		return 0
	}
}

// ByActivity compares two active pods as ByDeletion does, but without costs and with exact times. Of a Job that has too
// many, the smaller go.
func ByActivity(a, b *corev1.Pod) int {
	if c := compareFalse(a.Spec.NodeName != "", b.Spec.NodeName != ""); c != 0 {
		return c
	}
	if c := cmp.Compare(phaseOrder(a), phaseOrder(b)); c != 0 {
		return c
	}
	if c := compareFalse(Ready(a), Ready(b)); c != 0 {
		return c
	}
	if Ready(a) {
		ta, tb := readySince(a), readySince(b)
		if !ta.Equal(&tb) {
			return compareYounger(ta, tb)
		}
	}
	if c := compareRestarts(b, a); c != 0 {
		return c
	}
	return compareYounger(a.CreationTimestamp, b.CreationTimestamp)
}

func compareFalse(a, b bool) int {
	switch {
	case a == b:
		return 0
	case !a:
		return -1
	}
	return 1
}

func phaseOrder(p *corev1.Pod) int {
	switch p.Status.Phase {
	case corev1.PodPending:
		return 0
	case corev1.PodUnknown:
		return 1
	case corev1.PodRunning:
		return 2
	}
	return 0
}

func deletionCost(p *corev1.Pod) int32 {
	value, there := p.Annotations[corev1.PodDeletionCost]
	// The API server refuses a sign or a zero before the number; so does who counts.
	if !there || value != "0" && (value[:min(1, len(value))] == "+" || value[:min(1, len(value))] == "0") {
		return 0
	}
	cost, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return 0
	}
	return int32(cost)
}

func readySince(p *corev1.Pod) metav1.Time {
	if c := PodCondition(p, corev1.PodReady); c != nil && c.Status == corev1.ConditionTrue {
		return c.LastTransitionTime
	}
	return metav1.Time{}
}

// compareYounger puts the later time, or no time, first.
func compareYounger(a, b metav1.Time) int {
	switch {
	case a.IsZero() || b.IsZero():
		return compareFalse(!a.IsZero(), !b.IsZero())
	}
	return b.Compare(a.Time)
}

func compareAge(a, b *corev1.Pod, ta, tb metav1.Time, now time.Time) int {
	if ta.IsZero() || tb.IsZero() {
		return compareYounger(ta, tb)
	}
	if c := cmp.Compare(magnitude(now.Sub(ta.Time)), magnitude(now.Sub(tb.Time))); c != 0 {
		return c
	}
	return cmp.Compare(a.UID, b.UID)
}

func magnitude(age time.Duration) int64 {
	if age <= 0 {
		return -1
	}
	return int64(math.Log2(float64(age)))
}

// compareRestarts compares how often the containers of two pods have restarted, the worst of each; then its sidecars.
func compareRestarts(a, b *corev1.Pod) int {
	ra, sa := restarts(a)
	rb, sb := restarts(b)
	return cmp.Or(cmp.Compare(ra, rb), cmp.Compare(sa, sb))
}

func restarts(p *corev1.Pod) (regular, sidecar int32) {
	for i := range p.Status.ContainerStatuses {
		regular = max(regular, p.Status.ContainerStatuses[i].RestartCount)
	}
	for i := range p.Status.InitContainerStatuses {
		s := &p.Status.InitContainerStatuses[i]
		if slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool {
			return c.Name == s.Name && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}) {
			sidecar = max(sidecar, s.RestartCount)
		}
	}
	return regular, sidecar
}

// NewPod makes a pod of a template, without name and UID.
func NewPod(owner metav1.Object, ref metav1.OwnerReference, template *corev1.PodTemplateSpec, in *Input) *corev1.Pod {
	t := template.DeepCopy()
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         owner.GetNamespace(),
			GenerateName:      owner.GetName() + "-",
			Labels:            t.Labels,
			Annotations:       t.Annotations,
			Finalizers:        t.Finalizers,
			OwnerReferences:   []metav1.OwnerReference{ref},
			CreationTimestamp: in.Time(),
		},
		Spec:   t.Spec,
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
}
