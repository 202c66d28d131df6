package runtime

import (
	"encoding/json"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// recordIntent puts into the record what an operation is about to do, so that a daemon that finds the record
// after a crash knows where to look.
func (r *Runtime) recordIntent(p *pod, actions []plan.Action, now state.Instant) error {
	for _, a := range actions {
		switch a := a.(type) {
		case plan.BeginStop:
			if err := p.rec.BeginStop(now, r.stopGrace(p)); err != nil {
				return err
			}
		case plan.BeginFinish:
			overdue, err := p.rec.BeginFinish(now)
			if err != nil {
				return err
			}
			if overdue {
				r.event(p, "", now, corev1.EventTypeNormal, p.rec.Finish.Reason, p.rec.Finish.Message)
			}
		case plan.ResetContainers:
			if err := p.rec.ResetContainers(); err != nil {
				return err
			}
		case plan.RunPreStop:
			r.beginTermination(p, p.rec.Container(a.Name), now)
		case plan.StopContainer:
			r.beginTermination(p, p.rec.Container(a.Name), now)
		case plan.StartContainer:
			c := p.rec.Container(a.Name)
			if c.Kind == state.KindMain {
				p.rec.Initialized = true
			}
			// A collect may stand before it in the same plan; the record sees the moves in their order.
			if c.State == state.ContainerExited {
				continue
			}
			if err := c.BeginStart(a.Attempt); err != nil {
				return err
			}
		}
	}
	return nil
}

// handleResult takes the outcome of an action into the record.
func (r *Runtime) handleResult(p *pod, o executor.Outcome, now state.Instant) {
	err := o.Failure()
	switch o := o.(type) {
	case executor.SandboxEnsured:
		err = r.handleSandboxEnsured(p, o, now)
	case executor.VolumesEnsured:
		r.handleVolumesEnsured(p, o, now)
		err = nil
	case executor.VolumesRefreshed:
		r.handleVolumesRefreshed(p, o, now)
		err = nil
	case executor.VolumesMeasured:
		r.handleVolumesMeasured(p, o, now)
		err = nil
	case executor.SandboxRemoved:
		r.handleSandboxRemoved(p, o, now)
		err = nil
	case executor.ContainerStarted:
		err = r.handleContainerStarted(p, o, now)
	case executor.ImageAwaited:
		if err == nil {
			r.handleImageAwaited(p, o.Name, now)
		}
		err = nil
	case executor.PostStartBegun:
		r.prober.StartHook(&p.probes, p.rec, p.rec.Container(o.Name), now)
		err = nil
	case executor.PreStopBegun:
		err = r.handlePreStopBegun(p, o, now)
	case executor.PodResized:
		r.handlePodResized(p, o, now)
		err = nil
	case executor.ContainerStopped:
		err = r.handleContainerStopped(p, o, now)
	case executor.ContainerKilled:
		p.rec.Container(o.Name).Killed = err == nil
	case executor.ContainerCollected:
		r.reportFailedKill(p, err, now)
		err = r.handleContainerCollected(p, o)
	case executor.PodFinished:
		r.reportFailedKill(p, err, now)
		err = r.handlePodFinished(p, o)
	case executor.PodForgotten:
		r.handlePodForgotten(p, o)
		return
	case executor.ContainersReset, executor.FinishBegun, executor.StopBegun: // recorded before the operation began
		err = nil
	}
	r.suspectStorage(o.Failure())
	if p.backoff.Record(o.String(), err) {
		r.Log.Error("action failed", "pod", p.name(), "action", o.String(), "error", err)
	}
	if _, waits := o.(executor.VolumesEnsured); o.Failure() != nil && !executor.StandsAlone(o) && !waits {
		// A busy mount or cgroup frees itself; without this the next plan would be tried at once, and the next.
		p.retry = now.After(p.backoff.Delay())
	}
	r.save(p)
	r.publish(p, now)
}

func (r *Runtime) handleSandboxEnsured(p *pod, o executor.SandboxEnsured, now state.Instant) error {
	s := &p.rec.Sandbox
	if o.Sandbox.CgroupPath != "" {
		s.CgroupPath = o.Sandbox.CgroupPath
	}
	if o.Err != nil {
		delay, next := plan.RestartDelay(s.Backoff, 0)
		s.Backoff, s.NotBefore, s.Error = next, now.After(max(delay, time.Second)), o.Err.Error()
		r.event(p, "", now, corev1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: "+o.Err.Error())
		return o.Err
	}
	ready := now
	*s = o.Sandbox
	s.Ready = &ready
	r.sayResolver(p, now)
	r.shareOut()
	return p.rec.Move(state.EventSandboxReady)
}

func (r *Runtime) handleSandboxRemoved(p *pod, o executor.SandboxRemoved, now state.Instant) {
	if o.Err == nil {
		p.rec.Sandbox.Ready = nil
		r.shareOut()
		return
	}
	if !errors.Is(o.Err, executor.ErrSkipped) {
		r.Log.Error("cannot remove a sandbox", "pod", p.name(), "error", o.Err)
		r.event(p, "", now, corev1.EventTypeWarning, "FailedKillPod", "error killing pod: "+o.Err.Error())
	}
}

// handleContainerCollected takes in how an attempt ended. Its process is gone whatever of it stays on a disk that has become
// read-only or full; it counts as ended once its message is known.
func (r *Runtime) handleContainerCollected(p *pod, o executor.ContainerCollected) error {
	if errors.Is(o.Err, executor.ErrSkipped) {
		return o.Err
	}
	c := p.rec.Container(o.Name)
	c.Reported = true
	if o.Message != "" && c.Ended != nil {
		c.Ended.Message = o.Message
	}
	if o.Err != nil {
		return o.Err
	}
	delete(p.io, o.Name)
	c.PID, c.PIDStart = 0, 0
	if err := c.Move(state.EventCollect); err != nil || !c.Void {
		return err
	}
	c.Uncount()
	return nil
}

// reportFailedKill reports what keeps a pod from going; it is tried again until it goes.
func (r *Runtime) reportFailedKill(p *pod, err error, now state.Instant) {
	if err != nil && !errors.Is(err, executor.ErrSkipped) {
		r.event(p, "", now, corev1.EventTypeWarning, "FailedKillPod", "error killing pod: "+err.Error())
	}
}

func (r *Runtime) handlePodForgotten(p *pod, o executor.PodForgotten) {
	if o.Err != nil {
		r.reportFailedKill(p, o.Err, r.now())
		if p.backoff.Record(o.String(), o.Err) {
			r.Log.Error("cannot forget a pod", "pod", p.name(), "error", o.Err)
		}
		p.retry = r.now().After(p.backoff.Delay())
		return
	}
	if err := p.rec.Move(state.EventPodRemove); err != nil {
		r.Log.Error("cannot forget a pod", "pod", p.name(), "error", err)
	}
	key := keyOf(p.rec.Object)
	m := r.desired[key]
	stays := m != nil && m.Object.UID == p.rec.UID
	// A pod that ends with the board stays done; one that was removed is forgotten. One that was deleted by hand is still
	// what its manifest continues.
	if !r.stopping {
		if !stays {
			r.rollout.DropAlias(p.rec.UID)
		}
		r.deleteFinished(p.rec.UID)
	}
	if err := r.records.Remove(p.rec.UID); err != nil {
		r.Log.Error("cannot forget a pod", "pod", p.name(), "error", err)
	}
	delete(r.pods, p.rec.UID)
	r.accounts.Forget(p.rec.UID)
	r.policies.MarkChanged()
	r.services.ForgetPod(p.rec.UID)
	r.freeClaims(p)
	r.markSuccessors(key)
	r.store.RemovePod(p.rec.UID)
	if stays && !r.stopping {
		// Its manifest is there: it came back while the pod was ending, or the pod was deleted by hand.
		r.welcome(m, r.now())
	}
	r.Log.Info("pod removed", "pod", p.name(), "uid", p.rec.UID)
}

func (r *Runtime) handlePodFinished(p *pod, o executor.PodFinished) error {
	if o.Err != nil {
		return nil // reported; it is tried again
	}
	err := p.rec.Move(state.EventPodFinish)
	if err == nil {
		r.saveFinished(p)
	}
	return err
}

// saveFinished writes the record of a pod that has just ended, away from the loop: the disk may be slow.
func (r *Runtime) saveFinished(p *pod) {
	data, err := json.Marshal(p.rec)
	if err != nil {
		r.Log.Error("cannot keep the end of a pod", "pod", p.name(), "error", err)
		return
	}
	uid := p.rec.UID
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
