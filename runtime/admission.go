package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
	"podd/runtime/state"
	"podd/runtime/status"
)

// admitPod fails a pod that this node does not take, as a kubelet does, before anything is made for it. One that runs stays,
// whatever the settings say now. A pod that was not taken and would be now begins anew.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#enabling-unsafe-sysctls
func (r *Runtime) admitPod(p *pod, now state.Instant) {
	f := p.rec.Finish
	rejected := p.rec.State == state.PodFinished && f != nil && f.Reason == status.ReasonSysctlForbidden
	if !rejected && (p.rec.State != state.PodWaiting || p.rec.Ending() != nil || p.unfit || !r.wanted(p) || r.blocked(p)) {
		return
	}
	why := manifest.ForbiddenSysctl(&p.rec.Object.Spec, r.settings.Load().AllowedUnsafeSysctls)
	switch {
	case rejected:
		p.deleted = p.deleted || why == "" && p.rec.Kept
	case why != "":
		p.rec.Finish = &state.FinishRecord{Failed: true, Reason: status.ReasonSysctlForbidden, Message: "Pod was rejected: " + why}
		r.event(p, "", now, corev1.EventTypeWarning, status.ReasonSysctlForbidden, why)
		r.save(p)
	}
}
