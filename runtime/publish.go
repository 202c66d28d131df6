package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/container"
	"podd/runtime/manifest"
	"podd/runtime/state"
	"podd/runtime/status"
)

// publish shows a pod as it is now, if it is not shown so already. One that waits for the end of another of
// its name is not there yet: names are unique.
func (r *Runtime) publish(p *pod, now state.Instant) {
	r.prober.Sync(&p.probes, p.rec, now)
	if p.rec.State == state.PodWaiting && r.blocked(p) {
		return
	}
	shown := status.Build(p.rec, r.statusFacts(p, now))
	p.rec.NoteConditions(shown.Status.Conditions, now)
	r.services.NotePod(shown)
	r.store.SetPod(shown, status.BackoffEnds(p.rec, now.Mono))
}

func (r *Runtime) statusFacts(p *pod, now state.Instant) status.Facts {
	f := status.Facts{
		Now: now, NodeName: r.NodeName, HostIPs: r.boardIPs(), QOSClass: manifest.QOSClass(&p.rec.Object.Spec),
		Unfit: p.unfit, ShutDown: r.stopping, RecursiveReadOnly: container.CanReadOnlyRecursively(),
	}
	if p.problem != nil {
		f.Refused = &corev1.PodCondition{Type: api.ManifestAccepted, Status: corev1.ConditionFalse, Reason: p.problem.Reason, Message: p.problem.Message}
	}
	return f
}
