// Package replicaset keeps as many pods of a template as a ReplicaSet or a ReplicationController says.
package replicaset

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"podd/internal/objectmeta"
	"podd/runtime/workload"
)

// burst is how many pods are made or ended in one step at most.
const burst = 500

// set is what ReplicaSets and ReplicationControllers have in common.
type set struct {
	owner    metav1.Object
	kind     schema.GroupVersionKind
	selector labels.Selector
	replicas int32
	minReady int32
	template *corev1.PodTemplateSpec
	failing  bool // its status says that pods cannot be made
}

// counts are what a status says about pods.
type counts struct {
	replicas, fullyLabeled, ready, available, terminating int32

	failure  string // why pods cannot be made
	resolved bool   // they can again
}

// Compute is one step of a ReplicaSet.
func Compute(rs *appsv1.ReplicaSet, in workload.Input) workload.Result {
	old := condition(rs.Status.Conditions)
	res, n := compute(&set{
		owner: rs, kind: appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
		selector: workload.Selector(rs.Spec.Selector),
		replicas: number(rs.Spec.Replicas), minReady: rs.Spec.MinReadySeconds, template: &rs.Spec.Template,
		failing: old != nil,
	}, &in)
	status := rs.Status
	status.ObservedGeneration = rs.Generation
	status.Replicas, status.FullyLabeledReplicas = n.replicas, n.fullyLabeled
	status.ReadyReplicas, status.AvailableReplicas = n.ready, n.available
	status.TerminatingReplicas = &n.terminating
	switch {
	case n.failure != "" && (old == nil || old.Message != n.failure):
		c := appsv1.ReplicaSetCondition{
			Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue,
			LastTransitionTime: in.Time(), Reason: failedCreate, Message: n.failure,
		}
		status.Conditions = append(without(status.Conditions), c)
	case n.resolved:
		status.Conditions = without(status.Conditions)
	}
	if !equality.Semantic.DeepEqual(status, rs.Status) {
		changed := *rs
		changed.Status = status
		res.Object = &changed
	}
	return res
}

const failedCreate = "FailedCreate"

func condition(list []appsv1.ReplicaSetCondition) *appsv1.ReplicaSetCondition {
	for i := range list {
		if list[i].Type == appsv1.ReplicaSetReplicaFailure {
			return &list[i]
		}
	}
	return nil
}

func without(list []appsv1.ReplicaSetCondition) (rest []appsv1.ReplicaSetCondition) {
	for i := range list {
		if list[i].Type != appsv1.ReplicaSetReplicaFailure {
			rest = append(rest, list[i])
		}
	}
	return rest
}

// number is that of the API server if nobody says one.
func number(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func compute(s *set, in *workload.Input) (res workload.Result, n counts) {
	ref := *metav1.NewControllerRef(s.owner, s.kind)
	// A pod that has ended, or is to end, is neither adopted nor released.
	var active, terminating []*corev1.Pod
	for _, p := range in.Pods {
		switch {
		case workload.Active(p):
			active = append(active, p)
		case workload.Terminating(p) && workload.IsControlledBy(p, s.owner.GetUID()) && s.selector.Matches(labels.Set(p.Labels)):
			terminating = append(terminating, p)
		}
	}
	active, res.Update = workload.ClaimPods(s.owner, ref, s.selector, active, nil)

	namer := workload.NewNamer(s.owner.GetUID(), in)
	creating := false
	if objectmeta.Of(s.owner).DeletionTimestamp == nil {
		switch diff := int(s.replicas) - len(active); {
		case diff > 0 && in.CreateError != "":
			n.failure = in.CreateError
		case diff > 0 && in.HoldUntil.After(in.Now):
			res.WakeAt(in.HoldUntil)
		case diff > 0:
			creating = true
			for range min(diff, burst) {
				p := workload.NewPod(s.owner, ref, s.template, in)
				p.Name, p.UID = namer.Generate(p.GenerateName)
				res.Create = append(res.Create, p)
				res.Normal("SuccessfulCreate", "Created pod: "+p.Name)
			}
		case diff < 0:
			victims := slices.Clone(active)
			if -diff < len(victims) {
				slices.SortStableFunc(victims, workload.ByDeletion(in.Now))
			}
			for _, p := range victims[:min(-diff, burst)] {
				res.Delete = append(res.Delete, p)
				res.Normal("SuccessfulDelete", "Deleted pod: "+p.Name)
			}
		}
	}
	res.Sequence = namer.Sequence()
	// As long as one more attempt is under way nobody knows.
	n.resolved = s.failing && n.failure == "" && !creating

	n.replicas, n.terminating = int32(len(active)), int32(len(terminating))
	labeled := labels.SelectorFromValidatedSet(s.template.Labels)
	for _, p := range active {
		if labeled.Matches(labels.Set(p.Labels)) {
			n.fullyLabeled++
		}
		if workload.Ready(p) {
			n.ready++
		}
		if workload.Available(p, s.minReady, in.Now) {
			n.available++
		}
		res.WakeAt(workload.AvailableAt(p, s.minReady, in.Now))
	}
	return res, n
}
