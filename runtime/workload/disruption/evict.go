package disruption

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
)

// Refusal is why a pod may not be evicted now.
type Refusal struct {
	// Budget is the name of the PodDisruptionBudget; "": the pod has more than one, and no later try does better.
	Budget string
	// Cause is the sentence about the budget.
	Cause string
}

// Error is the sentence of the API server. It answers with 429 Too Many Requests if the refusal is of one budget, and with
// 500 Internal Server Error if there are more of them.
func (r *Refusal) Error() string {
	if r.Budget == "" {
		return "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
	}
	return "Cannot evict pod as it would violate the pod's disruption budget."
}

// MayEvict says why a pod may not be evicted now; nil: it may. budgets, pods and scales are those of its namespace, as they
// are at this moment: the answer does not depend on what a status says. Whoever evicts a pod marks it as ending before it
// asks about the next.
// https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
func MayEvict(pod *corev1.Pod, budgets []*policyv1.PodDisruptionBudget, pods []*corev1.Pod, scales map[types.UID]workload.Scale) *Refusal {
	// A pod that has ended, is about to, or has not begun serves nobody.
	if workload.Terminal(pod) || pod.Status.Phase == corev1.PodPending || pod.DeletionTimestamp != nil {
		return nil
	}
	var budget *policyv1.PodDisruptionBudget
	for _, b := range budgets {
		switch {
		case !covers(b, pod):
		case budget != nil:
			return &Refusal{Cause: fmt.Sprintf("The disruption budgets %s and %s both select the pod", budget.Name, b.Name)}
		default:
			budget = b
		}
	}
	if budget == nil {
		return nil
	}
	n, err := count(budget, covered(budget, pods), scales)
	if err != nil {
		return &Refusal{budget.Name, fmt.Sprintf("The disruption budget %s does not allow evicting pods currently because it failed sync: %s", budget.Name, err)}
	}
	if !workload.Ready(pod) {
		// It does not count as healthy, so that its eviction takes nothing from the budget.
		policy := budget.Spec.UnhealthyPodEvictionPolicy
		if policy != nil && *policy == policyv1.AlwaysAllow || n.healthy >= n.desired && n.desired > 0 {
			return nil
		}
	}
	switch {
	case n.allowed() > 0:
		return nil
	case n.healthy <= n.desired:
		return &Refusal{budget.Name, fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", budget.Name, n.desired, n.healthy)}
	}
	return &Refusal{budget.Name, fmt.Sprintf("The disruption budget %s does not allow evicting pods currently", budget.Name)}
}
