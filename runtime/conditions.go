package runtime

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
)

// setConditions works the conditions out and remembers when each last changed.
func (r *Runtime) setConditions(out *corev1.Pod, p *pod, now Instant) {
	for _, c := range conditions(p, out.Status.ContainerStatuses) {
		have, ok := p.rec.Conditions[string(c.Type)]
		if !ok || have.Status != c.Status {
			have = ConditionRecord{Status: c.Status, Since: now}
			p.rec.Conditions[string(c.Type)] = have
		}
		c.LastTransitionTime = metav1.NewTime(have.Since.shown(now))
		out.Status.Conditions = append(out.Status.Conditions, c)
	}
}

// conditions are those a kubelet sets, in its order.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
func conditions(p *pod, statuses []corev1.ContainerStatus) []corev1.PodCondition {
	ready := readiness(p, statuses)
	list := []corev1.PodCondition{
		condition(corev1.PodReadyToStartContainers, p.rec.Sandbox.Ready != nil),
		condition(corev1.PodInitialized, true),
		ready,
		ready,
		condition(corev1.PodScheduled, true),
	}
	list[2].Type, list[3].Type = corev1.PodReady, corev1.ContainersReady
	if p.problem != nil {
		list = append(list, corev1.PodCondition{Type: api.ManifestAccepted, Status: corev1.ConditionFalse, Reason: p.problem.Reason, Message: p.problem.Message})
	}
	return list
}

func condition(t corev1.PodConditionType, is bool) corev1.PodCondition {
	c := corev1.PodCondition{Type: t, Status: corev1.ConditionFalse}
	if is {
		c.Status = corev1.ConditionTrue
	}
	return c
}

func readiness(p *pod, statuses []corev1.ContainerStatus) corev1.PodCondition {
	var unready []string
	for _, s := range statuses {
		if !s.Ready {
			unready = append(unready, s.Name)
		}
	}
	c := condition("", len(unready) == 0)
	switch {
	case len(unready) == 0:
	case p.rec.State == PodFinished && phase(p.rec) == corev1.PodSucceeded:
		c.Reason = "PodCompleted"
	case p.rec.State == PodFinished:
		c.Reason = "PodFailed"
	default:
		c.Reason = "ContainersNotReady"
		c.Message = fmt.Sprintf("containers with unready status: [%s]", strings.Join(unready, " "))
	}
	return c
}
