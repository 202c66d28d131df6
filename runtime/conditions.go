package runtime

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/state"
)

// setConditions works the conditions out and remembers when each last changed.
func (r *Runtime) setConditions(out *corev1.Pod, p *pod, now state.Instant) {
	present := map[string]bool{}
	defer func() {
		maps.DeleteFunc(p.rec.Conditions, func(name string, _ state.ConditionRecord) bool { return !present[name] })
	}()
	for _, c := range r.conditions(p, &out.Status) {
		present[string(c.Type)] = true
		have, ok := p.rec.Conditions[string(c.Type)]
		if !ok || have.Status != c.Status {
			have = state.ConditionRecord{Status: c.Status, Since: now}
			p.rec.Conditions[string(c.Type)] = have
		}
		c.ObservedGeneration = out.Generation
		c.LastTransitionTime = metav1.NewTime(have.Since.WallAt(now))
		out.Status.Conditions = append(out.Status.Conditions, c)
	}
}

// conditions are those a kubelet sets, in its order.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
func (r *Runtime) conditions(p *pod, status *corev1.PodStatus) []corev1.PodCondition {
	if p.unfit {
		c := condition(corev1.PodScheduled, false)
		c.Reason, c.Message = corev1.PodReasonUnschedulable, unschedulable
		return []corev1.PodCondition{c}
	}
	containers := containersReady(p.rec, status)
	ready := podReady(p.rec, containers)
	list := append(setConditions(p.rec), []corev1.PodCondition{
		condition(corev1.PodReadyToStartContainers, p.rec.Sandbox.Ready != nil),
		initialized(p.rec, status),
		ready,
		containers,
		condition(corev1.PodScheduled, true),
	}...)
	if resize := p.rec.Resize; resize != nil && p.rec.State == state.PodRunning {
		c := condition(corev1.PodResizeInProgress, true)
		if resize.Error != "" {
			c.Reason, c.Message = corev1.PodReasonError, resize.Error
		}
		list = append(list, c)
	}
	if p.rec.RestartAll {
		list = append(list, condition(corev1.AllContainersRestarting, true))
	}
	if d := r.disruption(p); d != nil {
		list = append(list, *d)
	}
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

// initialized says whether every init container has succeeded and every sidecar has been started.
func initialized(rec *state.Record, status *corev1.PodStatus) corev1.PodCondition {
	var missing []string
	for i := range status.InitContainerStatuses {
		s := &status.InitContainerStatuses[i]
		done := s.Ready
		if rec.Container(s.Name).Kind == state.KindSidecar {
			done = s.Started != nil && *s.Started
		}
		if !done {
			missing = append(missing, s.Name)
		}
	}
	c := condition(corev1.PodInitialized, true)
	switch {
	case status.Phase == corev1.PodSucceeded && len(status.InitContainerStatuses) > 0:
		c.Reason = podCompleted
	case rec.Initialized, len(missing) == 0:
	default:
		c.Status, c.Reason = corev1.ConditionFalse, "ContainersNotInitialized"
		c.Message = fmt.Sprintf("containers with incomplete status: [%s]", strings.Join(missing, " "))
	}
	return c
}

const (
	podCompleted = "PodCompleted"
	podFailed    = "PodFailed"
)

// containersReady says whether every container that is to run is ready.
func containersReady(rec *state.Record, status *corev1.PodStatus) corev1.PodCondition {
	var unready []string
	for _, s := range slices.Concat(status.InitContainerStatuses, status.ContainerStatuses) {
		if !s.Ready && rec.Container(s.Name).Kind != state.KindInit {
			unready = append(unready, s.Name)
		}
	}
	c := condition(corev1.ContainersReady, len(unready) == 0)
	switch {
	case status.Phase == corev1.PodSucceeded:
		c.Status, c.Reason = corev1.ConditionFalse, podCompleted
	case status.Phase == corev1.PodFailed:
		c.Status, c.Reason = corev1.ConditionFalse, podFailed
	case len(unready) > 0:
		c.Reason = "ContainersNotReady"
		c.Message = fmt.Sprintf("containers with unready status: [%s]", strings.Join(unready, " "))
	}
	return c
}

// podReady says whether the containers are ready and every gate is open.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate
func podReady(rec *state.Record, containers corev1.PodCondition) corev1.PodCondition {
	c := containers
	c.Type = corev1.PodReady
	if c.Status != corev1.ConditionTrue {
		return c
	}
	var shut []string
	for _, gate := range rec.Object.Spec.ReadinessGates {
		name := string(gate.ConditionType)
		switch set, ok := rec.Set[name]; {
		case !ok:
			shut = append(shut, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", name))
		case set.Status != corev1.ConditionTrue:
			shut = append(shut, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %s", name, set.Status))
		}
	}
	if len(shut) > 0 {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, "ReadinessGatesNotReady", strings.Join(shut, ", ")
	}
	return c
}

// setConditions are those that others have set, by name.
func setConditions(rec *state.Record) []corev1.PodCondition {
	var list []corev1.PodCondition
	for _, name := range slices.Sorted(maps.Keys(rec.Set)) {
		s := rec.Set[name]
		list = append(list, corev1.PodCondition{Type: corev1.PodConditionType(name), Status: s.Status, Reason: s.Reason, Message: s.Message})
	}
	return list
}

// disruption says that the pod ends because of the board, not of itself.
// https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
func (r *Runtime) disruption(p *pod) *corev1.PodCondition {
	c := condition(corev1.DisruptionTarget, true)
	c.Reason = corev1.PodReasonTerminationByKubelet
	switch f := p.rec.Finish; {
	case f != nil && f.Reason == reasonEvicted:
		c.Message = f.Message
	case r.stopping && p.rec.Stop != nil:
		c.Message = "Pod was terminated in response to imminent node shutdown."
	default:
		return nil
	}
	return &c
}
