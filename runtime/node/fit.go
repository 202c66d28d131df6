package node

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Fits says whether a node with this name and these labels satisfies a pod's nodeSelector and required node affinity.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
func Fits(spec *corev1.PodSpec, name string, labels map[string]string) bool {
	for key, value := range spec.NodeSelector {
		if have, ok := labels[key]; !ok || have != value {
			return false
		}
	}
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil {
		return true
	}
	required := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	return required == nil || slices.ContainsFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		return matchesTerm(&t, name, labels)
	})
}

// matchesTerm: all requirements of a term must hold; an empty term matches nothing.
func matchesTerm(t *corev1.NodeSelectorTerm, name string, labels map[string]string) bool {
	if len(t.MatchExpressions)+len(t.MatchFields) == 0 {
		return false
	}
	fields := map[string]string{"metadata.name": name}
	for i := range t.MatchExpressions {
		if !matchesRequirement(&t.MatchExpressions[i], labels) {
			return false
		}
	}
	for i := range t.MatchFields {
		if !matchesRequirement(&t.MatchFields[i], fields) {
			return false
		}
	}
	return true
}

func matchesRequirement(q *corev1.NodeSelectorRequirement, labels map[string]string) bool {
	value, ok := labels[q.Key]
	switch q.Operator {
	case corev1.NodeSelectorOpIn:
		return ok && slices.Contains(q.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !ok || !slices.Contains(q.Values, value)
	case corev1.NodeSelectorOpExists:
		return ok
	case corev1.NodeSelectorOpDoesNotExist:
		return !ok
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		return ok && len(q.Values) == 1 && compares(value, q.Values[0], q.Operator)
	}
	return false
}

func compares(value, bound string, op corev1.NodeSelectorOperator) bool {
	a, errA := strconv.ParseInt(value, 10, 64)
	b, errB := strconv.ParseInt(bound, 10, 64)
	if errA != nil || errB != nil {
		return false
	}
	if op == corev1.NodeSelectorOpGt {
		return a > b
	}
	return a < b
}
