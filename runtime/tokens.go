package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/state"
)

// admitAccount settles with its ServiceAccount whether a pod has a token.
func (ad admission) admitAccount(m *manifest.Pod) *manifest.Pod {
	var running *corev1.Pod
	if p := ad.r.current(m); p != nil {
		running = p.Record.Object
	}
	return ad.r.accounts.Admit(m, running)
}

// renewTokens writes the tokens of a pod anew when they are due, and says when to look again (since boot; 0: never).
func (r *Runtime) renewTokens(p *lifecycle.Pod, now state.Instant) state.BootTime {
	if p.Refresh || !p.Record.Volumes.Ready {
		return 0
	}
	by := r.accounts.RenewAt(p.Record.UID)
	if by == 0 || now.Mono < by {
		return by
	}
	p.Refresh = true
	return 0
}

// clockSet gives every pod tokens of the new time.
func (r *Runtime) clockSet() {
	for _, p := range r.pods {
		r.imagePulls.retryPulls(p, state.ReasonClock)
	}
	for _, uid := range r.accounts.ForgetAll() {
		if p := r.pods[uid]; p != nil {
			r.refreshVolumes(p)
		}
	}
}
