package harness

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// Brief is a pod's status on one line.
func Brief(pod *corev1.Pod) string {
	data, err := json.Marshal(pod.Status)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func IsRunning(pod *corev1.Pod) string {
	// A refused manifest is shown as a pod without any.
	if len(pod.Spec.Containers) == 0 || len(pod.Status.ContainerStatuses) != len(pod.Spec.Containers) {
		return "not every container has a status"
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Running == nil {
			return "container " + c.Name + " does not run"
		}
	}
	return ""
}

// IsPhase waits for a phase.
func IsPhase(phase corev1.PodPhase) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if pod.Status.Phase == phase {
			return ""
		}
		return fmt.Sprintf("phase is not %s", phase)
	}
}

// IsWaiting waits until a container waits for the reason.
func IsWaiting(container, reason string) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if c := ContainerStatus(pod, container); c.State.Waiting != nil && c.State.Waiting.Reason == reason {
			return ""
		}
		return fmt.Sprintf("container %s does not wait for %s", container, reason)
	}
}

// HasRestarted waits until a container has been restarted so often.
func HasRestarted(container string, times int32) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if ContainerStatus(pod, container).RestartCount >= times {
			return ""
		}
		return fmt.Sprintf("container %s has not been restarted %d times", container, times)
	}
}

// ContainerStatus is the status of a container, empty when it has none.
func ContainerStatus(pod *corev1.Pod, name string) corev1.ContainerStatus {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == name {
			return c
		}
	}
	return corev1.ContainerStatus{Name: name}
}

// Ended is how a container's newest ended attempt ended, whether it waits for its restart or not.
func Ended(pod *corev1.Pod, container string) *corev1.ContainerStateTerminated {
	c := ContainerStatus(pod, container)
	if c.State.Terminated != nil {
		return c.State.Terminated
	}
	return c.LastTerminationState.Terminated
}
