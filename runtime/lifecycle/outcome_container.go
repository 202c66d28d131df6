package lifecycle

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/internal/journald"
	"podd/runtime/container"
	"podd/runtime/container/spec"
	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// ReasonConfigError is that of a container that cannot be configured: what it refers to is not there.
const ReasonConfigError = "CreateContainerConfigError"

func (h *Handler) handleContainerStarted(p *Pod, o executor.ContainerStarted, now state.Instant) error {
	c := p.Record.Container(o.Name)
	if !errors.Is(o.Err, executor.ErrSkipped) && (c.State == state.ContainerCollected || c.State == state.ContainerWaiting) {
		if err := c.BeginStart(o.Attempt); err != nil {
			return err
		}
	}
	if errors.Is(o.Err, executor.ErrSkipped) {
		if c.State != state.ContainerStarting {
			return nil // it was to follow a collect that has not come about
		}
		return c.UndoStart(now.After(time.Second))
	}
	if o.ImageID != "" {
		c.ImageID = o.ImageID
	}
	if o.Err == nil || errors.Is(o.Err, container.ErrRun) {
		c.UseImage(state.ImageRecord{Ref: o.ImageRef, ID: c.ImageID})
	}
	if o.IO != nil {
		p.IO[o.Name] = o.IO
	}
	if o.Err != nil && h.givesUpUsers(p, o.Err) {
		c.Void = true
		return c.Move(state.EventStartFailed)
	}
	if o.Err != nil {
		h.startFailed(p, c, o.Err, now)
		return errors.Join(c.Move(state.EventStartFailed), o.Err)
	}
	if err := c.MarkCreated(p.Record.Spec(c.Name), corev1.Signal(h.Inputs.StopSignal(p.Record, c.Name))); err != nil {
		return err
	}
	p.Record.Sandbox.CgroupLost = false
	h.watchCgroup(p.Record)
	if o.Object == p.Record.Object { // the manifest may have been edited while it started
		p.Record.MarkResized(o.Name)
	}
	at := now
	c.Started, c.PID, c.PIDStart, c.Waiting = &at, o.Process.PID, o.Process.StartTime, nil
	u := o.Process.User
	c.User = &state.UserRecord{UID: u.UID, GID: u.GID, Groups: u.Groups}
	if !c.WasPulledFor(o.Attempt) {
		h.Event(p, o.Name, now, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", p.Record.Spec(o.Name).Image))
	}
	h.Event(p, o.Name, now, corev1.EventTypeNormal, "Created", "Created container: "+o.Name)
	h.Event(p, o.Name, now, corev1.EventTypeNormal, "Started", "Started container "+o.Name)
	if o.NoJournal {
		h.Event(p, o.Name, now, corev1.EventTypeWarning, "NoJournal", "this machine has no journal ("+journald.Socket+"): the output of container "+o.Name+" is in its log alone")
	}
	if c.State == state.ContainerPostStart {
		h.Prober.StartHook(&p.Probes, p.Record, c)
	}
	return h.watch(p, o.Name)
}

// startFailed says why an attempt came to nothing and when the next one is due.
func (h *Handler) startFailed(p *Pod, c *state.ContainerRecord, err error, now state.Instant) {
	plan.PostponeStart(c, errors.Is(err, container.ErrRun), h.Inputs.LongestBackoff(), now)
	reason := "CreateContainerError"
	switch {
	case errors.Is(err, spec.ErrConfig):
		reason = ReasonConfigError
	case errors.Is(err, container.ErrRun):
		reason = "RunContainerError"
		const startErrorCode = 128
		p.Record.RecordTermination(c, state.Termination{Code: startErrorCode, Reason: "StartError", Message: err.Error(), Started: state.Instant{}, Finished: now})
	}
	c.Void = !errors.Is(err, container.ErrRun)
	c.Waiting = &state.Waiting{Reason: reason, Message: err.Error()}
	h.Event(p, c.Name, now, corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
}

// watch hints at the loop when the container's process dies.
func (h *Handler) watch(p *Pod, name string) error {
	uid := p.Record.UID
	return p.IO[name].WatchExit(func() { h.Loop.ProcessEnded(uid, name) })
}

// minimumGrace is what a container has between its stop signal and SIGKILL, even if its hook or its turn has
// used up the pod's grace: the kubelet's own extension.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
const minimumGrace = 2 * time.Second

func (h *Handler) handlePreStopBegun(p *Pod, o executor.PreStopBegun, now state.Instant) error {
	c := p.Record.Container(o.Name)
	switch c.State {
	case state.ContainerPreStop: // an earlier daemon has died in it
	case state.ContainerPostStart, state.ContainerRunning:
		p.Probes.EndHook(c.Name)
		c.Hooked = false
		if err := c.Move(state.EventPreStop); err != nil {
			return err
		}
	case state.ContainerWaiting, state.ContainerStarting, state.ContainerStopping, state.ContainerExited, state.ContainerCollected:
		return nil // it has ended by itself meanwhile
	}
	h.Prober.StartHook(&p.Probes, p.Record, c)
	return nil
}

func (h *Handler) handleContainerStopped(p *Pod, o executor.ContainerStopped, now state.Instant) error {
	c := p.Record.Container(o.Name)
	if !c.State.Alive() || c.State == state.ContainerStopping {
		return nil // it has ended by itself meanwhile
	}
	if c.State == state.ContainerPostStart {
		p.Probes.EndHook(c.Name)
	}
	c.KillAt = c.StopBy
	if plan.GraceOf(p.Record, c, h.Loop.Wanted(p), h.Loop.StopGrace(p)) > 0 {
		c.KillAt = max(c.StopBy, now.After(minimumGrace))
	}
	h.Log.Info("stopping container", "pod", p.Name(), "container", o.Name, "signal", unix.SignalName(o.Signal), "grace", c.KillAt-now.Mono)
	// Also when the signal could not be sent: then SIGKILL is what is left.
	return errors.Join(c.Move(state.EventStop), o.Err)
}

// beginTermination begins the end of a container, with its pod or alone.
func (h *Handler) beginTermination(p *Pod, c *state.ContainerRecord, now state.Instant) {
	if p.Record.BeginTermination(c, now) {
		h.Event(p, c.Name, now, corev1.EventTypeNormal, "Killing", cmp.Or(c.EndReason, "Stopping container "+c.Name))
	}
}

// ShortenGrace lets a pod that ends already have no more than grace from now.
func (h *Handler) ShortenGrace(p *Pod, grace time.Duration, now state.Instant) {
	if p.Record.ShortenGrace(grace, now) {
		h.Loop.Save(p)
		h.Loop.Mark(p)
	}
}
