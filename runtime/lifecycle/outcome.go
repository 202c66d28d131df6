package lifecycle

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/rollout"
	"podd/runtime/state"
)

// HandleOutcome takes the outcome of an action into the record.
func (h *Handler) HandleOutcome(p *Pod, o executor.Outcome, now state.Instant) {
	err := o.Failure()
	switch o := o.(type) {
	case executor.SandboxEnsured:
		err = h.handleSandboxEnsured(p, o, now)
	case executor.VolumesEnsured:
		h.handleVolumesEnsured(p, o, now)
		err = nil
	case executor.VolumesRefreshed:
		h.handleVolumesRefreshed(p, o, now)
		err = nil
	case executor.VolumesMeasured:
		h.handleVolumesMeasured(p, o, now)
		err = nil
	case executor.SandboxRemoved:
		h.handleSandboxRemoved(p, o, now)
	case executor.ContainerStarted:
		err = h.handleContainerStarted(p, o, now)
	case executor.PullBegun:
		if err == nil {
			h.Loop.Pull(p, o.Name, o.Volume, now)
		}
		err = nil
	case executor.ImageAwaited:
		if err == nil {
			h.handleImageAwaited(p, PullTarget{Container: o.Name, Volume: o.Volume}, now)
		}
		err = nil
	case executor.PostStartBegun:
		h.Prober.StartHook(&p.Probes, p.Record, p.Record.Container(o.Name))
		err = nil
	case executor.PreStopBegun:
		err = h.handlePreStopBegun(p, o, now)
	case executor.PodResized:
		h.handlePodResized(p, o, now)
		err = nil
	case executor.ContainerStopped:
		err = h.handleContainerStopped(p, o, now)
	case executor.ContainerKilled:
		p.Record.Container(o.Name).Killed = err == nil
	case executor.ContainerCollected:
		h.reportFailedKill(p, err, now)
		err = h.handleContainerCollected(p, o)
	case executor.PodFinished:
		h.reportFailedKill(p, err, now)
		err = h.handlePodFinished(p, o)
	case executor.PodForgotten:
		h.handlePodForgotten(p, o, now)
		return
	case executor.ContainersReset, executor.FinishBegun, executor.StopBegun: // recorded before the operation began
		err = nil
	}
	h.Loop.SuspectStorage(o.Failure())
	if p.Backoff.Record(o.String(), err) {
		h.Log.Error("action failed", "pod", p.Name(), "action", o.String(), "error", err)
	}
	if _, waits := o.(executor.VolumesEnsured); o.Failure() != nil && !executor.StandsAlone(o) && !waits {
		// A busy mount or cgroup frees itself; without this the next plan would be tried at once, and the next.
		p.Retry = now.After(p.Backoff.Delay())
	}
	h.Loop.Save(p)
	h.Loop.Publish(p, now)
}

func (h *Handler) handleSandboxEnsured(p *Pod, o executor.SandboxEnsured, now state.Instant) error {
	s := &p.Record.Sandbox
	if o.Sandbox.CgroupPath != "" {
		s.CgroupPath = o.Sandbox.CgroupPath
	}
	if o.Err != nil {
		delay, next := plan.RestartDelay(s.Backoff, 0, plan.BackoffLongest)
		s.Backoff, s.NotBefore, s.Error = next, now.After(max(delay, time.Second)), o.Err.Error()
		h.Event(p, "", now, corev1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: "+o.Err.Error())
		return o.Err
	}
	ready := now
	if s.GiveUp != "" {
		p.Record.Volumes.Ready = false // images were shown with the owners of before
	}
	*s = o.Sandbox
	s.Ready = &ready
	if s.Handler != nil {
		h.Event(p, "", now, corev1.EventTypeNormal, "RuntimeHandler", s.Handler.Text())
	}
	h.usersDecided(p, now)
	h.Loop.SandboxReady(p, now)
	h.Loop.ResourcesChanged()
	if p.Record.State == state.PodRunning { // made anew
		return nil
	}
	return p.Record.Move(state.EventSandboxReady)
}

func (h *Handler) handleSandboxRemoved(p *Pod, o executor.SandboxRemoved, now state.Instant) {
	if o.Err == nil {
		p.Record.Sandbox.MarkRemoved()
		h.Loop.ResourcesChanged()
		return
	}
	h.reportFailedKill(p, o.Err, now)
}

// handleContainerCollected takes in how an attempt ended. Its process is gone whatever of it stays on a disk that has become
// read-only or full; it counts as ended once its message is known.
func (h *Handler) handleContainerCollected(p *Pod, o executor.ContainerCollected) error {
	if errors.Is(o.Err, executor.ErrSkipped) {
		return o.Err
	}
	c := p.Record.Container(o.Name)
	c.Reported = true
	if o.Message != "" && c.Ended != nil {
		c.Ended.Message = o.Message
	}
	if o.Err != nil {
		return o.Err
	}
	delete(p.IO, o.Name)
	c.PID, c.PIDStart = 0, 0
	if err := c.Move(state.EventCollect); err != nil || !c.Void {
		return err
	}
	c.Uncount()
	return nil
}

// reportFailedKill reports what keeps a pod from going; it is tried again until it goes.
func (h *Handler) reportFailedKill(p *Pod, err error, now state.Instant) {
	if err != nil && !errors.Is(err, executor.ErrSkipped) {
		h.Event(p, "", now, corev1.EventTypeWarning, "FailedKillPod", "error killing pod: "+err.Error())
	}
}

func (h *Handler) handlePodForgotten(p *Pod, o executor.PodForgotten, now state.Instant) {
	if o.Err != nil {
		h.reportFailedKill(p, o.Err, now)
		if p.Backoff.Record(o.String(), o.Err) {
			h.Log.Error("cannot forget a pod", "pod", p.Name(), "error", o.Err)
		}
		p.Retry = now.After(p.Backoff.Delay())
		return
	}
	if err := p.Record.Move(state.EventPodRemove); err != nil {
		h.Log.Error("cannot forget a pod", "pod", p.Name(), "error", err)
	}
	h.Loop.Forget(p)
	h.Log.Info("pod removed", "pod", p.Name(), "uid", p.Record.UID)
}

func (h *Handler) handlePodFinished(p *Pod, o executor.PodFinished) error {
	if o.Err != nil {
		return o.Err
	}
	err := p.Record.Move(state.EventPodFinish)
	if err == nil {
		h.Loop.Finished(p)
	}
	return err
}

func (h *Handler) handlePodResized(p *Pod, o executor.PodResized, now state.Instant) {
	switch {
	case errors.Is(o.Err, executor.ErrSkipped):
	case o.Err != nil:
		if rollout.FailResize(p.Record, o.Err, now) {
			h.Event(p, "", now, corev1.EventTypeWarning, "ResizeError", o.Err.Error())
		}
	case rollout.CompleteResize(p.Record, o.Object):
		h.Loop.ResourcesChanged()
		h.Event(p, "", now, corev1.EventTypeNormal, "ResizeCompleted", "Pod resize completed")
	}
}
