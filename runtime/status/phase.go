package status

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// containerCounts counts a pod's containers as far as its phase depends on them.
type containerCounts struct {
	initPending, initFailed           int
	waiting, running, stopped, passed int
}

// phase sums a pod up as the kubelet does. That a pod has ended by itself is shown once that is on disk: whoever sees it
// may rely on its not running again.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
func phase(rec *state.Record, inits, mains []corev1.ContainerStatus) corev1.PodPhase {
	p := phaseOfContainers(rec, inits, mains)
	if (p == corev1.PodSucceeded || p == corev1.PodFailed) && rec.Stop == nil && !(rec.State == state.PodFinished && rec.Kept) {
		if !rec.Initialized {
			return corev1.PodPending
		}
		return corev1.PodRunning
	}
	return p
}

func phaseOfContainers(rec *state.Record, inits, mains []corev1.ContainerStatus) corev1.PodPhase {
	if rec.Failed() {
		return corev1.PodFailed
	}
	var n containerCounts
	for i := range inits {
		if rec.Container(inits[i].Name).Kind == state.KindSidecar {
			n.countSidecar(&inits[i])
		} else {
			n.countInit(&inits[i])
		}
	}
	for i := range mains {
		n.countMain(&mains[i])
	}
	policy, ending := rec.Object.Spec.RestartPolicy, rec.Ending() != nil || rec.State == state.PodFinished
	switch {
	case n.initFailed > 0 && (policy == corev1.RestartPolicyNever || rec.Finish != nil):
		return corev1.PodFailed
	case n.initPending > 0 && !rec.Initialized, n.waiting > 0:
		if rec.Ending() != nil && !rec.Alive() {
			return corev1.PodFailed // deleted while pending
		}
		return corev1.PodPending
	case n.running > 0:
		return corev1.PodRunning
	case ending && n.stopped == n.passed:
		return corev1.PodSucceeded
	case ending:
		return corev1.PodFailed
	case policy == corev1.RestartPolicyAlways:
		return corev1.PodRunning
	case n.stopped == n.passed:
		return corev1.PodSucceeded
	case policy == corev1.RestartPolicyNever:
		return corev1.PodFailed
	}
	return corev1.PodRunning
}

func (n *containerCounts) countInit(s *corev1.ContainerStatus) {
	t := s.State.Terminated
	if s.State.Waiting != nil && s.LastTerminationState.Terminated != nil {
		t = s.LastTerminationState.Terminated
	}
	switch {
	case t == nil:
		n.initPending++
	case t.ExitCode != 0:
		n.initFailed++
	}
}

// countSidecar counts one that runs; that one which has ended restarts changes nothing.
func (n *containerCounts) countSidecar(s *corev1.ContainerStatus) {
	switch {
	case s.State.Running != nil:
		n.running++
		if s.Started == nil || !*s.Started {
			n.initPending++
		}
	case s.State.Waiting != nil && s.LastTerminationState.Terminated == nil:
		n.initPending++
		n.waiting++
	}
}

func (n *containerCounts) countMain(s *corev1.ContainerStatus) {
	switch {
	case s.State.Running != nil:
		n.running++
	case s.State.Terminated != nil:
		n.stopped++
		if s.State.Terminated.ExitCode == 0 {
			n.passed++
		}
	case s.LastTerminationState.Terminated != nil:
		n.stopped++
	default:
		n.waiting++
	}
}
