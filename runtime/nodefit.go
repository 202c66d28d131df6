package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/lifecycle"
	"podd/runtime/node"
	"podd/runtime/state"
	"podd/runtime/status"
)

// NodeLabels are the labels of this board: its own, and those of the configuration, which win.
func (r *Runtime) NodeLabels() map[string]string {
	return node.Labels(r.NodeName, r.settings.Load().Labels)
}

// judgeFit says, once, that a pod is not for this board. One that runs is left alone, as in Kubernetes.
func (r *Runtime) judgeFit(p *lifecycle.Pod, now state.Instant) {
	unfit := p.Record.State == state.PodWaiting && !node.Fits(&p.Record.Object.Spec, r.NodeName, r.NodeLabels())
	if unfit && !p.Unfit {
		r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "FailedScheduling", status.MessageUnschedulable)
	}
	p.Unfit = unfit
}
