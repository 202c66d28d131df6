package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/lifecycle"
	"podd/runtime/manifest/sysctl"
	"podd/runtime/state"
	"podd/runtime/status"
)

// admitPod fails a pod that this node does not take, as a kubelet does, before anything is made for it. One that runs stays,
// whatever the settings say now. A pod that was not taken and would be now begins anew.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#enabling-unsafe-sysctls
func (r *Runtime) admitPod(p *lifecycle.Pod, now state.Instant) {
	f := p.Record.Finish
	rejected := p.Record.State == state.PodFinished && f != nil && status.Rejected(f.Reason)
	if !rejected && (p.Record.State != state.PodWaiting || p.Record.Ending() != nil || p.Unfit != "" || !r.wanted(p) || r.blocked(p)) {
		return
	}
	reason, why := r.forbidden(p.Record.Object)
	switch {
	case rejected:
		p.Deleted = p.Deleted || why == "" && p.Record.Kept
	case why != "":
		p.Record.Finish = &state.FinishRecord{Failed: true, Reason: reason, Message: "Pod was rejected: " + why}
		r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, reason, why)
		r.save(p)
	}
}

// forbidden says what of a pod this machine or its settings forbid, "" if nothing.
func (r *Runtime) forbidden(pod *corev1.Pod) (reason, why string) {
	if why := sysctl.Forbidden(&pod.Spec, r.Settings.AllowedUnsafeSysctls); why != "" {
		return status.ReasonSysctlForbidden, why
	}
	if why := r.engine.Modules.ForbidsAppArmor(pod); why != "" {
		return status.ReasonAppArmor, why
	}
	return status.ReasonSELinux, r.engine.Modules.ForbidsLabels(pod)
}
