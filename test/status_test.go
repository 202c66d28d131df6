package test

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// brief is a pod's status on one line.
func brief(pod *corev1.Pod) string {
	data, err := json.Marshal(pod.Status)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func isRunning(pod *corev1.Pod) string {
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

// isPhase waits for a phase.
func isPhase(phase corev1.PodPhase) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if pod.Status.Phase == phase {
			return ""
		}
		return fmt.Sprintf("phase is not %s", phase)
	}
}

// isWaiting waits until a container waits for the reason.
func isWaiting(container, reason string) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if c := containerStatus(pod, container); c.State.Waiting != nil && c.State.Waiting.Reason == reason {
			return ""
		}
		return fmt.Sprintf("container %s does not wait for %s", container, reason)
	}
}

// hasRestarted waits until a container has been restarted so often.
func hasRestarted(container string, times int32) func(*corev1.Pod) string {
	return func(pod *corev1.Pod) string {
		if containerStatus(pod, container).RestartCount >= times {
			return ""
		}
		return fmt.Sprintf("container %s has not been restarted %d times", container, times)
	}
}

// containerStatus is the status of a container, empty when it has none.
func containerStatus(pod *corev1.Pod, name string) corev1.ContainerStatus {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == name {
			return c
		}
	}
	return corev1.ContainerStatus{Name: name}
}

// ended is how a container's newest ended attempt ended, whether it waits for its restart or not.
func ended(pod *corev1.Pod, container string) *corev1.ContainerStateTerminated {
	c := containerStatus(pod, container)
	if c.State.Terminated != nil {
		return c.State.Terminated
	}
	return c.LastTerminationState.Terminated
}
