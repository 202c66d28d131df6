package runtime

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/plan"
	"podd/runtime/state"
)

// errSkipped is told of an action that was left out because one before it failed.
var errSkipped = errors.New("skipped: an earlier step failed")

// announce puts into the record what an operation is about to do, so that a daemon that finds the record
// after a crash knows where to look.
func (r *Runtime) announce(p *pod, actions []plan.Action, now state.Instant) error {
	for _, a := range actions {
		switch a := a.(type) {
		case plan.BeginStop:
			if err := r.beginStop(p, now); err != nil {
				return err
			}
		case plan.BeginFinish:
			if err := r.beginFinish(p, now); err != nil {
				return err
			}
		case plan.ResetContainers:
			if err := r.resetContainers(p); err != nil {
				return err
			}
		case plan.RunPreStop:
			r.beginEnd(p, p.rec.Container(a.Name), now)
		case plan.StopContainer:
			r.beginEnd(p, p.rec.Container(a.Name), now)
		case plan.StartContainer:
			c := p.rec.Container(a.Name)
			if c.Kind == state.KindMain {
				p.rec.Initialized = true
			}
			// A collect may stand before it in the same plan; the record sees the moves in their order.
			if c.State == state.ContainerExited {
				continue
			}
			if err := r.beginStart(c, a.Attempt); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pod) move(e state.PodEvent) error {
	next, err := p.rec.State.Transition(e)
	if err == nil {
		p.rec.State = next
	}
	return err
}

// learn takes the outcome of an action into the record.
func (r *Runtime) learn(p *pod, m msgOutcome, now state.Instant) {
	var err error
	switch a := m.action.(type) {
	case plan.EnsureSandbox:
		err = r.learnSandbox(p, m, now)
	case plan.EnsureVolumes:
		r.learnVolumes(p, m, now)
	case plan.RefreshVolumes:
		r.learnRefreshed(p, m, now)
	case plan.MeasureVolumes:
		r.learnMeasured(p, m, now)
	case plan.RemoveSandbox:
		r.learnSandboxRemoved(p, m, now)
	case plan.StartContainer:
		err = r.learnStart(p, a, m, now)
	case plan.AwaitImage:
		if m.err == nil {
			r.learnImageMissing(p, a.Name, now)
		}
	case plan.RunPostStart:
		r.startHook(p, p.rec.Container(a.Name), now)
	case plan.RunPreStop:
		err = r.learnPreStop(p, a, now)
	case plan.ResizePod:
		r.learnResize(p, m, now)
	case plan.StopContainer:
		err = r.learnStop(p, a, m, now)
	case plan.KillContainer:
		p.rec.Container(a.Name).Killed = m.err == nil
		err = m.err
	case plan.CollectContainer:
		r.sayStays(p, m.err, now)
		err = r.learnCollected(p, a, m)
	case plan.Finish:
		r.sayStays(p, m.err, now)
		if m.err == nil {
			if err = p.move(state.EventPodFinish); err == nil {
				r.keepFinished(p)
			}
		}
	case plan.Forget:
		r.learnForgotten(p, m)
		return
	}
	if p.failing.next(m.action.String(), err) {
		r.Log.Error("action failed", "pod", p.name(), "action", m.action.String(), "error", err)
	}
	if _, waits := m.action.(plan.EnsureVolumes); m.err != nil && !standsAlone(m.action) && !waits {
		// A busy mount or cgroup frees itself; without this the next plan would be tried at once, and the next.
		p.retry = now.After(p.failing.delay())
	}
	r.save(p)
	r.publish(p, now)
}

func (r *Runtime) learnSandbox(p *pod, m msgOutcome, now state.Instant) error {
	s := &p.rec.Sandbox
	if made, _ := m.outcome.(state.SandboxRecord); made.CgroupPath != "" {
		s.CgroupPath = made.CgroupPath
	}
	if m.err != nil {
		delay, next := plan.RestartDelay(s.Backoff, 0)
		s.Backoff, s.NotBefore, s.Error = next, now.After(max(delay, time.Second)), m.err.Error()
		r.event(p, "", now, corev1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: "+m.err.Error())
		return m.err
	}
	ready := now
	*s = m.outcome.(state.SandboxRecord)
	s.Ready = &ready
	r.sayResolver(p, now)
	r.shareOut()
	return p.move(state.EventSandboxReady)
}

func (r *Runtime) learnSandboxRemoved(p *pod, m msgOutcome, now state.Instant) {
	if m.err == nil {
		p.rec.Sandbox.Ready = nil
		r.shareOut()
		return
	}
	if !errors.Is(m.err, errSkipped) {
		r.Log.Error("cannot remove a sandbox", "pod", p.name(), "error", m.err)
		r.event(p, "", now, corev1.EventTypeWarning, "FailedKillPod", "error killing pod: "+m.err.Error())
	}
}

// learnCollected takes in how an attempt ended. Its process is gone whatever of it stays on a disk that has become
// read-only or full; it counts as ended once its message is known.
func (r *Runtime) learnCollected(p *pod, a plan.CollectContainer, m msgOutcome) error {
	if errors.Is(m.err, errSkipped) {
		return m.err
	}
	c := p.rec.Container(a.Name)
	c.Reported = true
	if text, _ := m.outcome.(string); text != "" && c.Ended != nil {
		c.Ended.Message = text
	}
	if m.err != nil {
		return m.err
	}
	delete(p.io, a.Name)
	c.PID, c.PIDStart = 0, 0
	if err := c.Move(state.EventCollect); err != nil || !c.Void {
		return err
	}
	c.Uncount()
	return nil
}

func (r *Runtime) learnForgotten(p *pod, m msgOutcome) {
	if m.err != nil {
		r.sayStays(p, m.err, state.Now())
		if p.failing.next(m.action.String(), m.err) {
			r.Log.Error("cannot forget a pod", "pod", p.name(), "error", m.err)
		}
		p.retry = state.Now().After(p.failing.delay())
		return
	}
	if err := p.move(state.EventPodRemove); err != nil {
		r.Log.Error("cannot forget a pod", "pod", p.name(), "error", err)
	}
	// A pod that ends with the board stays done; one that was removed is forgotten.
	if !r.stopping {
		r.uncontinue(p)
		r.dropEnd(p.rec.UID)
	}
	if err := r.records.Remove(p.rec.UID); err != nil {
		r.Log.Error("cannot forget a pod", "pod", p.name(), "error", err)
	}
	key := keyOf(p.rec.Object)
	delete(r.pods, p.rec.UID)
	r.tokens.forget(p.rec.UID)
	r.policiesDue = true
	r.noteService(p, nil)
	r.freeClaims(p)
	r.hideEphemeral(p)
	r.markSuccessors(key)
	r.store.remove(p.rec.UID)
	if m := r.desired[key]; m != nil && m.Object.UID == p.rec.UID && !r.stopping {
		// Its manifest is there: it came back while the pod was ending, or the pod was deleted by hand.
		r.welcome(m, state.Now())
	}
	r.Log.Info("pod removed", "pod", p.name(), "uid", p.rec.UID)
}
