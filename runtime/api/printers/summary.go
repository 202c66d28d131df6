package printers

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// summary is what the columns READY, STATUS and RESTARTS say, by the rules of the API
// server's printer (kubernetes/pkg/printers/internalversion, printPod).
type summary struct {
	ready, total int
	reason       string
	restarts     int
	restarted    metav1.Time // end of the newest attempt before the present one
}

func summarize(p *corev1.Pod) summary {
	s := summary{total: len(p.Spec.Containers), reason: string(p.Status.Phase)}
	if p.Status.Reason != "" {
		s.reason = p.Status.Reason
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated {
			s.reason = corev1.PodReasonSchedulingGated
		}
	}
	sidecars := sidecarNames(p)
	s.total += len(sidecars)

	initializing := s.addInit(p, sidecars)
	if !initializing || hasCondition(p, corev1.PodInitialized) {
		s.addMain(p, sidecars)
	}
	s.addDeletion(p)
	return s
}

// sidecarNames are the init containers that go on running (KEP-753).
func sidecarNames(p *corev1.Pod) map[string]bool {
	names := map[string]bool{}
	for i := range p.Spec.InitContainers {
		if r := p.Spec.InitContainers[i].RestartPolicy; r != nil && *r == corev1.ContainerRestartPolicyAlways {
			names[p.Spec.InitContainers[i].Name] = true
		}
	}
	return names
}

// addInit counts the init containers up to the first that is not done; it reports whether
// there is one.
func (s *summary) addInit(p *corev1.Pod, sidecars map[string]bool) (initializing bool) {
	for i := range p.Status.InitContainerStatuses {
		c := &p.Status.InitContainerStatuses[i]
		s.countRestarts(c)
		switch t := c.State.Terminated; {
		case t != nil && t.ExitCode == 0:
		case sidecars[c.Name] && c.Started != nil && *c.Started:
			if c.Ready {
				s.ready++
			}
		case t != nil:
			s.reason = "Init:" + EndReason(t)
			return true
		case c.State.Waiting != nil && c.State.Waiting.Reason != "" && c.State.Waiting.Reason != "PodInitializing":
			s.reason = "Init:" + c.State.Waiting.Reason
			return true
		default:
			s.reason = fmt.Sprintf("Init:%d/%d", i, len(p.Spec.InitContainers))
			return true
		}
	}
	return false
}

// addMain lets the first container that has something to say give the reason. From here on
// restarts of init containers count no more, those of sidecars do.
func (s *summary) addMain(p *corev1.Pod, sidecars map[string]bool) {
	s.restarts, s.restarted = 0, metav1.Time{}
	for i := range p.Status.InitContainerStatuses {
		if c := &p.Status.InitContainerStatuses[i]; sidecars[c.Name] {
			s.countRestarts(c)
		}
	}
	running := false
	for i := len(p.Status.ContainerStatuses) - 1; i >= 0; i-- {
		c := &p.Status.ContainerStatuses[i]
		s.countRestarts(c)
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			s.reason = c.State.Waiting.Reason
		case c.State.Terminated != nil:
			s.reason = EndReason(c.State.Terminated)
		case c.Ready && c.State.Running != nil:
			running = true
			s.ready++
		}
	}
	if s.reason == "Completed" && running {
		s.reason = "NotReady"
		if hasCondition(p, corev1.PodReady) {
			s.reason = "Running"
		}
	}
}

func (s *summary) addDeletion(p *corev1.Pod) {
	switch {
	case p.DeletionTimestamp == nil:
	case p.Status.Reason == "NodeLost":
		s.reason = "Unknown"
	case p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed:
		s.reason = "Terminating"
	}
}

func (s *summary) countRestarts(c *corev1.ContainerStatus) {
	s.restarts += int(c.RestartCount)
	if t := c.LastTerminationState.Terminated; t != nil && s.restarted.Before(&t.FinishedAt) {
		s.restarted = t.FinishedAt
	}
}

// EndReason is why a container ended, in the words of a pod's status column.
func EndReason(t *corev1.ContainerStateTerminated) string {
	switch {
	case t.Reason != "":
		return t.Reason
	case t.Signal != 0:
		return fmt.Sprintf("Signal:%d", t.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", t.ExitCode)
}
