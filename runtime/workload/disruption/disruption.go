// Package disruption counts what PodDisruptionBudgets allow, and says whether a pod may be evicted.
package disruption

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
)

// Compute is one step of a PodDisruptionBudget: it counts. It wants the pods and the Scales of its namespace.
// https://kubernetes.io/docs/tasks/run-application/configure-pdb/
func Compute(b *policyv1.PodDisruptionBudget, in workload.Input) workload.Result {
	res := workload.Result{Sequence: in.Sequence}
	pods := covered(b, in.Pods)
	n, err := count(b, pods, in.Scales)
	status := *b.Status.DeepCopy()
	if err != nil {
		status.DisruptionsAllowed = 0
		say(&status, policyv1.SyncFailedReason, err.Error(), &in)
		if !equality.Semantic.DeepEqual(status, b.Status) {
			res.Warning("CalculateExpectedPodCountFailed", "Failed to calculate the number of expected pods: "+err.Error())
		}
	} else {
		status.ObservedGeneration, status.DisruptedPods = b.Generation, nil
		status.ExpectedPods, status.DesiredHealthy, status.CurrentHealthy = n.expected, n.desired, n.healthy
		status.DisruptionsAllowed = n.allowed()
		reason := policyv1.SufficientPodsReason
		if status.DisruptionsAllowed == 0 {
			reason = policyv1.InsufficientPodsReason
		}
		say(&status, reason, "", &in)
	}
	if equality.Semantic.DeepEqual(status, b.Status) {
		return res
	}
	// Each is said once, when it begins.
	first := b.Status.ObservedGeneration != b.Generation
	if len(pods) == 0 && (first || b.Status.ExpectedPods > 0) {
		res.Normal("NoPods", "No matching pods found")
	}
	if err == nil && n.unmanaged > 0 && (first || b.Status.ExpectedPods != n.expected) {
		res.Warning("UnmanagedPods", fmt.Sprintf("Pods selected by this PodDisruptionBudget (selector: %v) were found to be unmanaged. "+
			"They do not count; set spec.minAvailable to an integer to count them", b.Spec.Selector))
	}
	changed := *b
	changed.Status = status
	res.Object = &changed
	return res
}

// say sets the condition of a status.
func say(s *policyv1.PodDisruptionBudgetStatus, reason, message string, in *workload.Input) {
	c := metav1.Condition{
		Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		ObservedGeneration: s.ObservedGeneration, LastTransitionTime: in.Time(),
	}
	if reason == policyv1.SufficientPodsReason {
		c.Status = metav1.ConditionTrue
	}
	if old := meta.FindStatusCondition(s.Conditions, c.Type); old != nil && old.Status == c.Status {
		c.LastTransitionTime = old.LastTransitionTime
	}
	meta.SetStatusCondition(&s.Conditions, c)
}

// covered are the pods of the budget's namespace that it selects. An empty selector selects all, none selects nothing.
func covered(b *policyv1.PodDisruptionBudget, pods []*corev1.Pod) (list []*corev1.Pod) {
	for _, p := range pods {
		if covers(b, p) {
			list = append(list, p)
		}
	}
	return list
}

func covers(b *policyv1.PodDisruptionBudget, p *corev1.Pod) bool {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	return err == nil && b.Namespace == p.Namespace && selector.Matches(labels.Set(p.Labels))
}

// counts are what a status says.
type counts struct {
	expected, desired, healthy int32
	unmanaged                  int // pods that no controller has made and that do not count
}

// allowed is how many pods may be evicted now.
func (n *counts) allowed() int32 {
	if n.expected <= 0 {
		return 0
	}
	return max(n.healthy-n.desired, 0)
}

// count follows kubernetes pkg/controller/disruption, getExpectedPodCount and countHealthyPods.
func count(b *policyv1.PodDisruptionBudget, pods []*corev1.Pod, scales map[types.UID]workload.Scale) (n counts, err error) {
	least, most := b.Spec.MinAvailable, b.Spec.MaxUnavailable
	switch {
	case most != nil:
		if n.expected, n.unmanaged, err = expectedScale(pods, scales); err != nil {
			return n, err
		}
		unavailable, err := intstr.GetScaledValueFromIntOrPercent(most, int(n.expected), true)
		if err != nil {
			return n, err
		}
		n.desired = max(n.expected-int32(unavailable), 0)
	case least != nil && least.Type == intstr.Int:
		n.expected, n.desired = int32(len(pods)), least.IntVal
	case least != nil:
		if n.expected, n.unmanaged, err = expectedScale(pods, scales); err != nil {
			return n, err
		}
		available, err := intstr.GetScaledValueFromIntOrPercent(least, int(n.expected), true)
		if err != nil {
			return n, err
		}
		n.desired = int32(available)
	}
	for _, p := range pods {
		if p.DeletionTimestamp == nil && workload.Ready(p) {
			n.healthy++
		}
	}
	return n, nil
}

// expectedScale adds up what the controllers of the pods want, each once.
func expectedScale(pods []*corev1.Pod, scales map[types.UID]workload.Scale) (sum int32, unmanaged int, err error) {
	seen := map[types.UID]bool{}
	for _, p := range pods {
		ref := metav1.GetControllerOfNoCopy(p)
		if ref == nil {
			unmanaged++
			continue
		}
		s, ok := scales[ref.UID]
		if !ok {
			resource := strings.ToLower(ref.Kind) + "s"
			if group, _, ok := strings.Cut(ref.APIVersion, "/"); ok {
				resource += "." + group
			}
			return 0, 0, fmt.Errorf("%s does not implement the scale subresource", resource)
		}
		if !seen[s.Of] {
			seen[s.Of] = true
			sum += s.Replicas
		}
	}
	return sum, unmanaged, nil
}
