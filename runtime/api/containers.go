package api

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/printers"
)

// chooseContainer returns the container that a log or exec request means: the one that it
// names, or the only one.
func chooseContainer(p *corev1.Pod, name string) (string, error) {
	if err := checkAccepted(p); err != nil {
		return "", err
	}
	if name != "" {
		if containerStatus(p, name) == nil && !declares(p, name) {
			return "", BadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, p.Name))
		}
		return name, nil
	}
	switch len(p.Spec.Containers) {
	case 1:
		return p.Spec.Containers[0].Name, nil
	case 0:
		return "", BadRequest(fmt.Sprintf("a container name must be specified for pod %s", p.Name))
	}
	msg := fmt.Sprintf("a container name must be specified for pod %s, choose one of: [%s]", p.Name, containerNames(p.Spec.Containers))
	if len(p.Spec.InitContainers) > 0 {
		msg += fmt.Sprintf(" or one of the init containers: [%s]", containerNames(p.Spec.InitContainers))
	}
	return "", BadRequest(msg)
}

// checkAccepted refuses what needs the containers of a pod whose manifest was refused.
func checkAccepted(p *corev1.Pod) error {
	if !refused(p) {
		return nil
	}
	return BadRequest(fmt.Sprintf("pod %s has no containers: its manifest was refused: %s", p.Name, p.Status.Message))
}

func containerNames(cs []corev1.Container) string {
	names := make([]string, len(cs))
	for i := range cs {
		names[i] = cs[i].Name
	}
	return strings.Join(names, " ")
}

// DescribeContainers lists the containers as kubectl does: "app, setup (init)".
func DescribeContainers(p *corev1.Pod) string {
	names := make([]string, 0, len(p.Spec.Containers)+len(p.Spec.InitContainers))
	for i := range p.Spec.Containers {
		names = append(names, p.Spec.Containers[i].Name)
	}
	for i := range p.Spec.InitContainers {
		names = append(names, p.Spec.InitContainers[i].Name+" (init)")
	}
	for i := range p.Spec.EphemeralContainers {
		names = append(names, p.Spec.EphemeralContainers[i].Name+" (ephem)")
	}
	return strings.Join(names, ", ")
}

func declares(p *corev1.Pod, name string) bool { return containerSpec(p, name) != nil }

func hasTerminal(p *corev1.Pod, name string) bool {
	c := containerSpec(p, name)
	return c != nil && c.TTY
}

// containerSpec returns the container of that name, of whatever kind; nil: there is none.
func containerSpec(p *corev1.Pod, name string) *corev1.Container {
	for _, cs := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range cs {
			if cs[i].Name == name {
				return &cs[i]
			}
		}
	}
	for i := range p.Spec.EphemeralContainers {
		if c := (*corev1.Container)(&p.Spec.EphemeralContainers[i].EphemeralContainerCommon); c.Name == name {
			return c
		}
	}
	return nil
}

// containerStatus returns nil when the pod has no status for this name yet.
func containerStatus(p *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, cs := range [][]corev1.ContainerStatus{
		p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses,
	} {
		for i := range cs {
			if cs[i].Name == name {
				return &cs[i]
			}
		}
	}
	return nil
}

// checkLog refuses the log of a container that has none, in the kubelet's words.
func checkLog(p *corev1.Pod, o *corev1.PodLogOptions) error {
	c := containerStatus(p, o.Container)
	if c == nil {
		return BadRequest(fmt.Sprintf("container %q in pod %q is not available", o.Container, p.Name))
	}
	ended := c.LastTerminationState.Terminated
	switch {
	case o.Previous:
		if ended == nil {
			return BadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", o.Container, p.Name))
		}
	case c.State.Running != nil, c.State.Terminated != nil, ended != nil:
	default:
		return BadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: %s", o.Container, p.Name, waitingFor(c)))
	}
	return nil
}

func waitingFor(c *corev1.ContainerStatus) string {
	if c.State.Waiting == nil {
		return "ContainerCreating"
	}
	switch reason := c.State.Waiting.Reason; reason {
	case "ErrImagePull":
		return "image can't be pulled"
	case "ImagePullBackOff":
		return "trying and failing to pull image"
	default:
		return reason
	}
}

// beingStarted says that a container may well have a process already, whose postStart hook is not done: who
// wants to see why must get in. The backend knows.
func beingStarted(c *corev1.ContainerStatus) bool {
	return waitingFor(c) == "ContainerCreating" || waitingFor(c) == "PodInitializing"
}

// checkRuns refuses what needs a container that runs; purpose is what for, as "exec into".
func checkRuns(p *corev1.Pod, name, purpose string) error {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return BadRequest("cannot " + purpose + " a container in a completed pod; current phase is " + string(p.Status.Phase))
	}
	c := containerStatus(p, name)
	switch {
	case c != nil && c.State.Running != nil, c != nil && beingStarted(c):
		return nil
	case c != nil && c.State.Terminated != nil:
		return BadRequest(fmt.Sprintf("container %q in pod %q has ended: %s", name, p.Name, printers.EndReason(c.State.Terminated)))
	case c != nil:
		return BadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: %s", name, p.Name, waitingFor(c)))
	}
	return BadRequest(fmt.Sprintf("container %q in pod %q is not available", name, p.Name))
}
