package runtime

import (
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/lifecycle"
	"podd/runtime/shutdown"
	"podd/runtime/state"
)

// stopGrace is how long the pod gets if its end begins now.
func (r *Runtime) stopGrace(p *lifecycle.Pod) time.Duration {
	grace := state.SpecGrace(&p.Record.Object.Spec)
	if p.Grace != nil {
		grace = time.Duration(*p.Grace) * time.Second
	}
	if limit := r.stages.Limit(priorityOf(p)); r.stopping && limit > 0 {
		grace = min(grace, limit)
	}
	return grace
}

// heldStop is a stop of all pods that podd outlives: the machine waits for them with its shutdown, and may give that up.
type heldStop struct {
	since atomic.Pointer[time.Time]   // nil: there is none
	begun state.BootTime              // the end of all pods, held or not
	leave bool                        // podd was told to end itself
	waits []chan struct{}             // closed when the last pod has gone, or the stop is cancelled
	gone  map[types.UID]*state.Record // of pods that went and are wanted still; they are shown as they ended
}

// release lets those go on who wait for the end of the pods.
func (h *heldStop) release() {
	for _, c := range h.waits {
		close(c)
	}
	h.waits = nil
}

// podLoop is the loop as a pod knows it.
type podLoop struct{ r *Runtime }

// beginStop lets the pods end with the board, those of the lowest priority first.
func (l podLoop) beginStop(now state.Instant) {
	r := l.r
	if !r.stopping {
		r.stopping, r.held.begun = true, now.Mono
		r.stages.Begin(r.Settings.StopGroups, now.Mono)
	}
	r.adopter.endOrphans()
	l.endStage(now)
}

// holdStop lets the pods end with the machine, and podd stay. ended is closed after the last.
func (l podLoop) holdStop(ended chan struct{}, now state.Instant) {
	r := l.r
	if r.held.since.Load() == nil {
		r.held.since.Store(&now.Wall)
		r.held.gone = map[types.UID]*state.Record{}
	}
	r.held.waits = append(r.held.waits, ended)
	l.beginStop(now)
}

// leaves says after a step whether podd is to end: all pods have, and it does not stay for the machine's sake.
func (l podLoop) leaves() bool {
	r := l.r
	if !r.stopping || len(r.pods) > 0 {
		return false
	}
	r.held.release()
	return r.held.leave
}

// cancelStop runs all pods again, as after a boot; those that are about to end do so first. A stop of podd itself goes on.
func (l podLoop) cancelStop(now state.Instant) {
	r := l.r
	if r.held.since.Load() == nil || r.held.leave {
		return
	}
	gone := r.held.gone
	r.held.release()
	r.held.since.Store(nil)
	r.stopping, r.stages, r.held.gone = false, shutdown.Stages{}, nil
	for uid := range gone {
		r.store.RemovePod(uid)
	}
	r.disk.Wait() // what of them is kept may be being written
	for _, m := range r.desired {
		was := gone[m.Object.UID]
		if r.pods[m.Object.UID] != nil {
			continue
		}
		r.addPod(m, now)
		if was != nil {
			rec := r.pods[m.Object.UID].Record
			rec.Made, rec.Pins = was.Made, was.Pins
		}
	}
	for uid := range r.pods {
		r.mark(uid)
	}
	r.reschedule = true
	r.controllers.NodeChanged()
}

// endStage lets the pods end whose turn has come.
func (l podLoop) endStage(now state.Instant) {
	r := l.r
	for uid, p := range r.pods {
		r.dirty[uid] = true
		if limit := r.stages.Limit(priorityOf(p)); limit > 0 && !r.wanted(p) {
			r.lifecycle.ShortenGrace(p, limit, now)
		}
	}
}

// advanceStop sees whether the next pods are to end.
func (l podLoop) advanceStop(now state.Instant) {
	r := l.r
	if !r.stopping {
		return
	}
	left := make([]int32, 0, len(r.pods))
	for _, p := range r.pods {
		left = append(left, priorityOf(p))
	}
	if r.stages.Advance(left, now.Mono) {
		l.endStage(now)
	}
}

func (l podLoop) Save(p *lifecycle.Pod) { l.r.save(p) }

func (l podLoop) Mark(p *lifecycle.Pod) { l.r.mark(p.Record.UID) }

func (l podLoop) Publish(p *lifecycle.Pod, now state.Instant) { l.r.publish(p, now) }

func (l podLoop) Wanted(p *lifecycle.Pod) bool { return l.r.wanted(p) }

func (l podLoop) StopGrace(p *lifecycle.Pod) time.Duration { return l.r.stopGrace(p) }

func (l podLoop) ShutsDown() bool { return l.r.stopping }

func (l podLoop) SandboxReady(p *lifecycle.Pod, now state.Instant) {
	l.r.resolver.recordResolverEvents(p, now)
}

func (l podLoop) ResourcesChanged() { l.r.shares.update() }

func (l podLoop) CgroupLost() { l.r.shares.forget() }

func (l podLoop) Pull(p *lifecycle.Pod, name, volume string, now state.Instant) {
	l.r.imagePulls.beginPull(p, lifecycle.PullTarget{Container: name, Volume: volume}, now)
}

func (l podLoop) VolumesReady(p *lifecycle.Pod) { l.r.claims.ShowEphemeral(p.Record) }

func (l podLoop) Finished(p *lifecycle.Pod) {
	l.r.reschedule = true
	l.r.saveFinished(p)
	l.r.devices.freed(p)
}

func (l podLoop) Forget(p *lifecycle.Pod) { l.r.forget(p) }

func (l podLoop) SuspectStorage(err error) { l.r.storage.Suspect(err) }

func (l podLoop) ProcessEnded(uid types.UID, name string) { l.r.inbox.put(msgExit{uid, name}) }

// forget drops a pod of which nothing is left.
func (r *Runtime) forget(p *lifecycle.Pod) {
	key := keyOf(p.Record.Object)
	m := r.desired[key]
	stays := m != nil && m.Object.UID == p.Record.UID
	// A pod that ends with the board stays done; one that was removed is forgotten. One that was deleted by hand is still
	// what its manifest continues.
	if !r.stopping {
		if !stays {
			r.rollout.DropAlias(p.Record.UID)
		}
		r.deleteFinished(p.Record.UID)
	}
	if !r.stopping && !stays {
		delete(r.made, p.Record.UID)
		r.controllers.ForgetPod(p.Record.UID)
	}
	if err := r.records.Remove(p.Record.UID); err != nil {
		r.Log.Error("cannot forget a pod", "pod", p.Name(), "error", err)
	}
	delete(r.pods, p.Record.UID)
	if stays && r.held.gone != nil {
		r.held.gone[p.Record.UID] = p.Record
		r.showEnded(p)
	} else {
		r.store.RemovePod(p.Record.UID)
	}
	r.devices.freed(p)
	r.reattach, r.reschedule = true, true
	r.accounts.Forget(p.Record.UID)
	r.policies.MarkChanged()
	r.services.ForgetPod(p.Record.UID)
	r.podVolumes.freeClaims(p)
	r.markSuccessors(key)
	if stays && !r.stopping {
		// Its manifest is there: it came back while the pod was ending, or the pod was deleted by hand.
		r.addPod(m, r.now())
	}
}
