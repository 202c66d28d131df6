package runtime

import (
	"maps"
	goruntime "runtime"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
	"podd/runtime/status"
)

// NodeLabels are the labels of this board: its own, and those of the configuration, which win.
func (r *Runtime) NodeLabels() map[string]string {
	labels := map[string]string{
		corev1.LabelHostname:   r.NodeName,
		corev1.LabelOSStable:   goruntime.GOOS,
		corev1.LabelArchStable: goruntime.GOARCH,
	}
	maps.Copy(labels, r.settings.Load().Labels)
	return labels
}

// fitsNode says whether a node with this name and these labels satisfies a pod's nodeSelector and required node affinity.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
func fitsNode(spec *corev1.PodSpec, name string, labels map[string]string) bool {
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

// judgeFit says, once, that a pod is not for this board. One that runs is left alone, as in Kubernetes.
func (r *Runtime) judgeFit(p *pod, now state.Instant) {
	unfit := p.rec.State == state.PodWaiting && !fitsNode(&p.rec.Object.Spec, r.NodeName, r.NodeLabels())
	if unfit && !p.unfit {
		r.event(p, "", now, corev1.EventTypeWarning, "FailedScheduling", status.MessageUnschedulable)
	}
	p.unfit = unfit
}
