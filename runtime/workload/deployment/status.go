package deployment

import (
	"fmt"
	"math"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const maxInt32 = math.MaxInt32

// Reasons of the condition Progressing.
const (
	replicaSetUpdated      = "ReplicaSetUpdated"
	newReplicaSetCreated   = "NewReplicaSetCreated"
	foundNewReplicaSet     = "FoundNewReplicaSet"
	newReplicaSetAvailable = "NewReplicaSetAvailable"
	deadlineExceeded       = "ProgressDeadlineExceeded"
	paused                 = "DeploymentPaused"
	resumed                = "DeploymentResumed"
)

func hasDeadline(d *appsv1.Deployment) bool {
	return d.Spec.ProgressDeadlineSeconds != nil && *d.Spec.ProgressDeadlineSeconds != maxInt32
}

// condition is the one of a type; nil: there is none.
func condition(s *appsv1.DeploymentStatus, typ appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == typ {
			return &s.Conditions[i]
		}
	}
	return nil
}

func progressing(s *appsv1.DeploymentStatus) *appsv1.DeploymentCondition {
	return condition(s, appsv1.DeploymentProgressing)
}

func (s *step) condition(typ appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string) appsv1.DeploymentCondition {
	return appsv1.DeploymentCondition{
		Type: typ, Status: status, LastUpdateTime: s.in.Time(), LastTransitionTime: s.in.Time(),
		Reason: reason, Message: message,
	}
}

// set puts a condition to the end of the list. One with the same status and reason is left as it is.
func set(to *appsv1.DeploymentStatus, c appsv1.DeploymentCondition) {
	if old := condition(to, c.Type); old != nil && old.Status == c.Status {
		if old.Reason == c.Reason {
			return
		}
		c.LastTransitionTime = old.LastTransitionTime
	}
	remove(to, c.Type)
	to.Conditions = append(to.Conditions, c)
}

// remove leaves the list that others have as it is.
func remove(from *appsv1.DeploymentStatus, typ appsv1.DeploymentConditionType) {
	var rest []appsv1.DeploymentCondition
	for _, c := range from.Conditions {
		if c.Type != typ {
			rest = append(rest, c)
		}
	}
	from.Conditions = rest
}

// progress sets the condition Progressing.
func (s *step) progress(status corev1.ConditionStatus, reason, message string) {
	set(&s.d.Status, s.condition(appsv1.DeploymentProgressing, status, reason, message))
}

// notePause keeps a pause out of the time that a rollout may take.
func (s *step) notePause() {
	if !hasDeadline(s.d) {
		return
	}
	c := progressing(&s.d.Status)
	if c != nil && c.Reason == deadlineExceeded {
		return
	}
	switch noted := c != nil && c.Reason == paused; {
	case s.d.Spec.Paused && !noted:
		s.progress(corev1.ConditionUnknown, paused, "Deployment is paused")
	case !s.d.Spec.Paused && noted:
		s.progress(corev1.ConditionUnknown, resumed, "Deployment is resumed")
	}
}

// count is the status with the numbers of now.
func (s *step) count(list []*appsv1.ReplicaSet, current *appsv1.ReplicaSet) appsv1.DeploymentStatus {
	status := appsv1.DeploymentStatus{
		ObservedGeneration: s.d.Generation,
		AvailableReplicas:  available(list),
		CollisionCount:     s.d.Status.CollisionCount,
		Conditions:         s.d.Status.Conditions,
	}
	terminating, known := int32(0), true
	for _, rs := range list {
		status.Replicas += rs.Status.Replicas
		status.ReadyReplicas += rs.Status.ReadyReplicas
		switch {
		case rs.Status.TerminatingReplicas != nil:
			terminating += *rs.Status.TerminatingReplicas
		case rs.Status.ObservedGeneration != 0:
			known = false
		}
	}
	if known {
		status.TerminatingReplicas = &terminating
	}
	if current != nil {
		status.UpdatedReplicas = current.Status.Replicas
	}
	status.UnavailableReplicas = max(size(list)-status.AvailableReplicas, 0)
	_, unavailable := fences(s.d)
	if status.AvailableReplicas >= replicas(s.d.Spec.Replicas)-unavailable {
		set(&status, s.condition(appsv1.DeploymentAvailable, corev1.ConditionTrue,
			"MinimumReplicasAvailable", "Deployment has minimum availability."))
	} else {
		set(&status, s.condition(appsv1.DeploymentAvailable, corev1.ConditionFalse,
			"MinimumReplicasUnavailable", "Deployment does not have minimum availability."))
	}
	return status
}

// countStatus does not judge progress.
func (s *step) countStatus(list []*appsv1.ReplicaSet, current *appsv1.ReplicaSet) {
	s.d.Status = s.count(list, current)
}

// rolloutStatus also says how a rollout goes.
func (s *step) rolloutStatus(list []*appsv1.ReplicaSet, current *appsv1.ReplicaSet) {
	status := s.count(list, current)
	if !hasDeadline(s.d) {
		remove(&status, appsv1.DeploymentProgressing)
	}
	was := progressing(&s.d.Status)
	done := status.Replicas == status.UpdatedReplicas && was != nil && was.Reason == newReplicaSetAvailable
	if hasDeadline(s.d) && !done {
		s.judge(&status, was, current)
	}
	failed := failure(current)
	for i := 0; failed == nil && i < len(list); i++ {
		failed = failure(list[i])
	}
	if failed != nil {
		set(&status, *failed)
	} else {
		remove(&status, appsv1.DeploymentReplicaFailure)
	}
	s.d.Status = status

	// A rollout that is stuck makes no message of its own. One that has come to its end, or is over its deadline, is not
	// judged again: kube-controller-manager asks for more and more looks then, here they would not end.
	if c := progressing(&status); hasDeadline(s.d) && c != nil && !isComplete(s.d, &status) &&
		c.Reason != deadlineExceeded && c.Reason != newReplicaSetAvailable {
		s.res.WakeAt(s.deadline(c).Add(time.Second))
	}
}

func (s *step) deadline(c *appsv1.DeploymentCondition) time.Time {
	return c.LastUpdateTime.Add(time.Duration(*s.d.Spec.ProgressDeadlineSeconds) * time.Second)
}

func (s *step) judge(status *appsv1.DeploymentStatus, was *appsv1.DeploymentCondition, current *appsv1.ReplicaSet) {
	what := fmt.Sprintf("Deployment %q", s.d.Name)
	if current != nil {
		what = fmt.Sprintf("ReplicaSet %q", current.Name)
	}
	switch {
	case isComplete(s.d, status):
		set(status, s.condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, newReplicaSetAvailable,
			what+" has successfully progressed."))
	case hasProgressed(&s.d.Status, status):
		// The time of the update counts, so the condition is written even if it says the same as before.
		c := s.condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, replicaSetUpdated, what+" is progressing.")
		if was != nil && was.Status == corev1.ConditionTrue {
			c.LastTransitionTime = was.LastTransitionTime
		}
		remove(status, appsv1.DeploymentProgressing)
		set(status, c)
	case s.timedOut(status):
		set(status, s.condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, deadlineExceeded,
			what+" has timed out progressing."))
	}
}

// isComplete says that all pods are of the new revision and serve.
func isComplete(d *appsv1.Deployment, s *appsv1.DeploymentStatus) bool {
	want := replicas(d.Spec.Replicas)
	return s.UpdatedReplicas == want && s.Replicas == want && s.AvailableReplicas == want && s.ObservedGeneration >= d.Generation
}

func hasProgressed(old, now *appsv1.DeploymentStatus) bool {
	return now.UpdatedReplicas > old.UpdatedReplicas ||
		now.Replicas-now.UpdatedReplicas < old.Replicas-old.UpdatedReplicas ||
		now.ReadyReplicas > old.ReadyReplicas || now.AvailableReplicas > old.AvailableReplicas
}

func (s *step) timedOut(status *appsv1.DeploymentStatus) bool {
	c := progressing(status)
	switch {
	case c == nil || c.Reason == newReplicaSetAvailable:
		return false
	case c.Reason == deadlineExceeded:
		return true
	}
	return s.deadline(c).Before(s.in.Now)
}

// failure is what keeps a ReplicaSet from making pods, as a condition of the Deployment.
func failure(rs *appsv1.ReplicaSet) *appsv1.DeploymentCondition {
	if rs == nil {
		return nil
	}
	for i := range rs.Status.Conditions {
		if c := &rs.Status.Conditions[i]; c.Type == appsv1.ReplicaSetReplicaFailure {
			return &appsv1.DeploymentCondition{
				Type: appsv1.DeploymentReplicaFailure, Status: c.Status, Reason: c.Reason, Message: c.Message,
				LastTransitionTime: metav1.Time{Time: c.LastTransitionTime.Time}, LastUpdateTime: c.LastTransitionTime,
			}
		}
	}
	return nil
}
