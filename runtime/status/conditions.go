package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/state"
)

// setConditions works the conditions out. One that says what the record has seen keeps its moment.
func setConditions(out *corev1.Pod, rec *state.Record, f Facts) {
	for _, c := range conditions(rec, &out.Status, f) {
		since := f.Now
		if have, ok := rec.Conditions[string(c.Type)]; ok && have.Status == c.Status {
			since = have.Since
		}
		c.ObservedGeneration = out.Generation
		c.LastTransitionTime = metav1.NewTime(since.WallAt(f.Now))
		out.Status.Conditions = append(out.Status.Conditions, c)
	}
}

// conditions are those a kubelet sets, in its order.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
func conditions(rec *state.Record, status *corev1.PodStatus, f Facts) []corev1.PodCondition {
	if f.Unfit != "" {
		c := condition(corev1.PodScheduled, false)
		c.Reason, c.Message = corev1.PodReasonUnschedulable, f.Unfit
		return []corev1.PodCondition{c}
	}
	containers := containersReady(rec, status)
	ready := podReady(rec, containers)
	list := append(foreignConditions(rec), []corev1.PodCondition{
		condition(corev1.PodReadyToStartContainers, readyToStart(rec)),
		initialized(rec, status),
		ready,
		containers,
		condition(corev1.PodScheduled, true),
	}...)
	if resize := rec.Resize; resize != nil && rec.State == state.PodRunning {
		c := condition(corev1.PodResizeInProgress, true)
		if resize.Error != "" {
			c.Reason, c.Message = corev1.PodReasonError, resize.Error
		}
		list = append(list, c)
	}
	if rec.RestartAll {
		list = append(list, condition(corev1.AllContainersRestarting, true))
	}
	if d := disruption(rec, shutDown(rec, f) && !turnedAway(rec, f)); d != nil {
		list = append(list, *d)
	}
	if f.Refused != nil {
		list = append(list, *f.Refused)
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

// readyToStart says whether the pod has its network and its volumes: a kubelet makes the volumes first. Volumes that are
// looked at again once containers have started change nothing.
func readyToStart(rec *state.Record) bool {
	return rec.Sandbox.Ready != nil && (rec.Volumes.Ready || len(rec.Object.Spec.Volumes) == 0)
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

// foreignConditions are those that others have set, by name.
func foreignConditions(rec *state.Record) []corev1.PodCondition {
	var list []corev1.PodCondition
	for _, name := range slices.Sorted(maps.Keys(rec.Set)) {
		s := rec.Set[name]
		list = append(list, corev1.PodCondition{Type: corev1.PodConditionType(name), Status: s.Status, Reason: s.Reason, Message: s.Message})
	}
	return list
}

// disruption says that the pod ends because of the board, not of itself.
// https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
func disruption(rec *state.Record, shutDown bool) *corev1.PodCondition {
	if _, told := rec.Set[string(corev1.DisruptionTarget)]; told {
		return nil // it was evicted through the API
	}
	c := condition(corev1.DisruptionTarget, true)
	c.Reason = corev1.PodReasonTerminationByKubelet
	switch f := rec.Finish; {
	case f != nil && f.Reason == ReasonEvicted:
		c.Message = f.Message
	case shutDown:
		c.Message = shutdownMessage
	default:
		return nil
	}
	return &c
}

const ReasonEvicted = "Evicted"

// What a pod says that ends with the board, and one that comes meanwhile, in a kubelet's words (pkg/kubelet/nodeshutdown).
const (
	reasonShutdown  = "Terminated"
	shutdownMessage = "Pod was terminated in response to imminent node shutdown."

	reasonTurnedAway  = "NodeShutdown"
	turnedAwayMessage = "Pod was rejected: Pod was rejected as the node is shutting down."
)

// Reasons of pods which the node has not admitted.
const (
	ReasonSysctlForbidden = "SysctlForbidden"
	ReasonAppArmor        = "AppArmor" // a kubelet's, pkg/security/apparmor
	ReasonSELinux         = "SELinux"
	ReasonCDIAnnotation   = "CDIAnnotationForbidden"
)

// Rejected says whether a pod that ended for this reason was not admitted.
func Rejected(reason string) bool {
	return reason == ReasonSysctlForbidden || reason == ReasonAppArmor || reason == ReasonSELinux || reason == ReasonCDIAnnotation
}
