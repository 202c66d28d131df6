package replicaset

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"

	"podd/runtime/workload"
)

// ComputeController is one step of a ReplicationController.
func ComputeController(rc *corev1.ReplicationController, in workload.Input) workload.Result {
	var old *corev1.ReplicationControllerCondition
	var others []corev1.ReplicationControllerCondition
	for i := range rc.Status.Conditions {
		if rc.Status.Conditions[i].Type == corev1.ReplicationControllerReplicaFailure {
			old = &rc.Status.Conditions[i]
		} else {
			others = append(others, rc.Status.Conditions[i])
		}
	}
	template := rc.Spec.Template
	if template == nil {
		template = &corev1.PodTemplateSpec{}
	}
	selector := labels.Nothing()
	if len(rc.Spec.Selector) > 0 {
		selector = labels.SelectorFromValidatedSet(rc.Spec.Selector)
	}
	res, n := compute(&set{
		owner: rc, kind: corev1.SchemeGroupVersion.WithKind("ReplicationController"),
		selector: selector, replicas: number(rc.Spec.Replicas), minReady: rc.Spec.MinReadySeconds, template: template,
		failing: old != nil,
	}, &in)
	status := rc.Status
	status.ObservedGeneration = rc.Generation
	status.Replicas, status.FullyLabeledReplicas = n.replicas, n.fullyLabeled
	status.ReadyReplicas, status.AvailableReplicas = n.ready, n.available
	switch {
	case n.failure != "" && (old == nil || old.Message != n.failure):
		status.Conditions = append(others, corev1.ReplicationControllerCondition{
			Type: corev1.ReplicationControllerReplicaFailure, Status: corev1.ConditionTrue,
			LastTransitionTime: in.Time(), Reason: failedCreate, Message: n.failure,
		})
	case n.resolved:
		status.Conditions = others
	}
	if !equality.Semantic.DeepEqual(status, rc.Status) {
		changed := *rc
		changed.Status = status
		res.Object = &changed
	}
	return res
}
