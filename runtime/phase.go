package runtime

import (
	corev1 "k8s.io/api/core/v1"
)

// census counts a pod's containers as far as its phase depends on them.
type census struct {
	initPending, initFailed           int
	waiting, running, stopped, passed int
}

// phase sums a pod up as the kubelet does. That a pod has ended by itself is shown once that is on disk: whoever sees it
// may rely on its not running again.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
func phase(rec *Record, inits, mains []corev1.ContainerStatus) corev1.PodPhase {
	p := sumUp(rec, inits, mains)
	if (p == corev1.PodSucceeded || p == corev1.PodFailed) && rec.Stop == nil && !(rec.State == PodFinished && rec.Kept) {
		if !rec.Initialized {
			return corev1.PodPending
		}
		return corev1.PodRunning
	}
	return p
}

func sumUp(rec *Record, inits, mains []corev1.ContainerStatus) corev1.PodPhase {
	if rec.failed() {
		return corev1.PodFailed
	}
	var n census
	for i := range inits {
		if rec.container(inits[i].Name).Kind == KindSidecar {
			n.sidecar(&inits[i])
		} else {
			n.init(&inits[i])
		}
	}
	for i := range mains {
		n.main(&mains[i])
	}
	policy, ending := rec.Object.Spec.RestartPolicy, rec.end() != nil || rec.State == PodFinished
	switch {
	case n.initFailed > 0 && (policy == corev1.RestartPolicyNever || rec.Finish != nil):
		return corev1.PodFailed
	case n.initPending > 0 && !rec.Initialized, n.waiting > 0:
		if rec.end() != nil && !rec.alive() {
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

// failed says that the pod was made to fail and nothing of it runs any more: a terminal phase promises that.
func (r *Record) failed() bool {
	if r.Finish == nil || !r.Finish.Failed {
		return false
	}
	return !r.alive()
}

// alive says whether anything of the pod runs, or counts as running still.
func (r *Record) alive() bool {
	for _, c := range r.Containers {
		if c.shownRunning() || c.State.alive() || c.State == ContainerStarting {
			return true
		}
	}
	return false
}

func (n *census) init(s *corev1.ContainerStatus) {
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

// sidecar counts one that runs; that one which has ended restarts changes nothing.
func (n *census) sidecar(s *corev1.ContainerStatus) {
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

func (n *census) main(s *corev1.ContainerStatus) {
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
