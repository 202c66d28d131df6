package runtime

import (
	"cmp"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/api"
	"podd/runtime/container/spec"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest/resources"
	"podd/runtime/state"
	"podd/runtime/status"
)

// publish shows a pod as it is now, if it is not shown so already. One that waits for the end of another of
// its name is not there yet: names are unique.
func (r *Runtime) publish(p *lifecycle.Pod, now state.Instant) {
	r.prober.Sync(&p.Probes, p.Record, now)
	if !r.isShown(p) {
		return
	}
	p.Shown = true
	shown := status.Build(p.Record, r.statusFacts(p, now))
	p.Record.NoteConditions(shown.Status.Conditions, now)
	r.services.NotePod(shown)
	if r.store.SetPod(shown, status.BackoffEnds(p.Record, now.Mono)) {
		r.controllers.NotePod(shown, now)
	}
}

// showEnded shows how a pod has ended whose manifest stays, while the machine waits for others: as the API server does with
// those that a kubelet ends. Nobody deletes them. Names are unique:
// one before it of its name may be ending still.
func (r *Runtime) showEnded(p *lifecycle.Pod) {
	if r.named(keyOf(p.Record.Object)) != nil {
		r.store.RemovePod(p.Record.UID)
		return
	}
	now := r.now()
	ended := status.Build(p.Record, r.statusFacts(p, now))
	ended.DeletionTimestamp, ended.DeletionGracePeriodSeconds = nil, nil
	r.store.SetPod(ended, nil)
}

// dropEnded takes away what showEnded shows of a pod that is not wanted any more.
func (r *Runtime) dropEnded(uid types.UID) {
	if r.held.gone[uid] != nil {
		delete(r.held.gone, uid)
		r.store.RemovePod(uid)
	}
}

// isShown says of a pod that clients see it. Of those of one name one is: the one that was seen first, until it is forgotten;
// after a restart of podd the oldest that has begun.
func (r *Runtime) isShown(p *lifecycle.Pod) bool {
	if p.Shown {
		return true
	}
	for uid, other := range r.pods {
		switch {
		case uid == p.Record.UID || keyOf(other.Record.Object) != keyOf(p.Record.Object):
		case other.Shown, p.Record.State == state.PodWaiting:
			return false
		case other.Record.State != state.PodWaiting &&
			cmp.Or(cmp.Compare(other.Record.Created.Mono, p.Record.Created.Mono), cmp.Compare(uid, p.Record.UID)) < 0:
			return false
		}
	}
	return true
}

func (r *Runtime) statusFacts(p *lifecycle.Pod, now state.Instant) status.Facts {
	f := status.Facts{
		Now: now, NodeName: r.NodeName, HostIPs: r.network.boardIPs(), QOSClass: resources.QOSClass(&p.Record.Object.Spec),
		Unfit: p.Unfit, Plugged: r.devices.plugged, ShutDown: r.stopping, Late: r.stopping && p.Record.Created.Mono >= r.held.begun, RecursiveReadOnly: spec.CanReadOnlyRecursively(),
	}
	if p.Problem != nil {
		f.Refused = &corev1.PodCondition{Type: api.ManifestAccepted, Status: corev1.ConditionFalse, Reason: p.Problem.Reason, Message: p.Problem.Message}
	}
	return f
}

// saveFinished writes the record of a pod that has just ended, away from the loop: the disk may be slow.
func (r *Runtime) saveFinished(p *lifecycle.Pod) {
	data, err := json.Marshal(p.Record)
	if err != nil {
		r.Log.Error("cannot keep the end of a pod", "pod", p.Name(), "error", err)
		return
	}
	uid := p.Record.UID
	r.disk.Do(func() {
		if err := r.finished.Save(uid, data); err != nil {
			r.Log.Error("cannot keep the end of a pod; it would run again after a reboot", "error", err)
		}
		r.inbox.put(msgKept{p})
	})
}

// deleteFinished forgets that a pod has ended, before it can come back and be taken for one that has.
func (r *Runtime) deleteFinished(uid types.UID) {
	r.disk.Wait() // its end may be being written
	if err := r.finished.Delete(uid); err != nil {
		r.Log.Error("cannot forget the end of a pod; it would not run if it came back", "error", err)
	}
}
