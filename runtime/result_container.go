package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container"
	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// reasonConfigError is that of a container that cannot be configured: what it refers to is not there.
const reasonConfigError = "CreateContainerConfigError"

func (r *Runtime) handleContainerStarted(p *pod, o executor.ContainerStarted, now state.Instant) error {
	c := p.rec.Container(o.Name)
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
	if o.IO != nil {
		p.io[o.Name] = o.IO
	}
	if o.Err != nil {
		r.startFailed(p, c, o.Err, now)
		return errors.Join(c.Move(state.EventStartFailed), o.Err)
	}
	if err := c.MarkCreated(p.rec.Spec(c.Name), corev1.Signal(r.stopSignal(p.rec, c.Name))); err != nil {
		return err
	}
	p.rec.Sandbox.CgroupLost = false
	r.watchCgroup(p.rec)
	if o.Object == p.rec.Object { // the manifest may have been edited while it started
		p.rec.MarkResized(o.Name)
	}
	at := now
	c.Started, c.PID, c.PIDStart, c.Waiting = &at, o.Process.PID, o.Process.StartTime, nil
	u := o.Process.User
	c.User = &state.UserRecord{UID: u.UID, GID: u.GID, Groups: u.Groups}
	r.event(p, o.Name, now, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine", p.rec.Spec(o.Name).Image))
	r.event(p, o.Name, now, corev1.EventTypeNormal, "Created", "Created container: "+o.Name)
	r.event(p, o.Name, now, corev1.EventTypeNormal, "Started", "Started container "+o.Name)
	if c.State == state.ContainerPostStart {
		r.prober.StartHook(&p.probes, p.rec, c, now)
	}
	return r.watch(p, o.Name)
}

// startFailed says why an attempt came to nothing and when the next one is due.
func (r *Runtime) startFailed(p *pod, c *state.ContainerRecord, err error, now state.Instant) {
	plan.PostponeStart(c, errors.Is(err, container.ErrRun), now)
	reason := "CreateContainerError"
	switch {
	case errors.Is(err, container.ErrConfig):
		reason = reasonConfigError
	case errors.Is(err, container.ErrRun):
		reason = "RunContainerError"
		const startErrorCode = 128
		p.rec.RecordTermination(c, state.Termination{Code: startErrorCode, Reason: "StartError", Message: err.Error(), Started: state.Instant{}, Finished: now})
	}
	c.Void = !errors.Is(err, container.ErrRun)
	c.Waiting = &state.Waiting{Reason: reason, Message: err.Error()}
	r.event(p, c.Name, now, corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
}

// watch hints at the loop when the container's process dies.
func (r *Runtime) watch(p *pod, name string) error {
	uid := p.rec.UID
	return p.io[name].WatchExit(func() { r.inbox.put(msgExit{uid, name}) })
}

func (r *Runtime) handleImageAwaited(p *pod, name string, now state.Instant) {
	c, spec := p.rec.Container(name), p.rec.Spec(name)
	if spec.ImagePullPolicy == corev1.PullNever {
		text := fmt.Sprintf("Container image %q is not present with pull policy of Never; load it with 'podd images load'", spec.Image)
		c.Waiting = &state.Waiting{Reason: "ErrImageNeverPull", Message: text}
		r.event(p, name, now, corev1.EventTypeWarning, "ErrImageNeverPull", text)
		return
	}
	text := fmt.Sprintf("image %q is not on this board, and podd does not pull from registries; load it with 'podd images load' or put its archive into the folder of images", spec.Image)
	c.Waiting = &state.Waiting{Reason: "ImagePullBackOff", Message: text}
	r.event(p, name, now, corev1.EventTypeWarning, "Failed", text)
}

// minimumGrace is what a container has between its stop signal and SIGKILL, even if its hook or its turn has
// used up the pod's grace: the kubelet's own extension.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
const minimumGrace = 2 * time.Second

func (r *Runtime) handlePreStopBegun(p *pod, o executor.PreStopBegun, now state.Instant) error {
	c := p.rec.Container(o.Name)
	switch c.State {
	case state.ContainerPreStop: // an earlier daemon has died in it
	case state.ContainerPostStart, state.ContainerRunning:
		p.probes.EndHook(c.Name)
		c.Hooked = false
		if err := c.Move(state.EventPreStop); err != nil {
			return err
		}
	case state.ContainerWaiting, state.ContainerStarting, state.ContainerStopping, state.ContainerExited, state.ContainerCollected:
		return nil // it has ended by itself meanwhile
	}
	r.prober.StartHook(&p.probes, p.rec, c, now)
	return nil
}

func (r *Runtime) handleContainerStopped(p *pod, o executor.ContainerStopped, now state.Instant) error {
	c := p.rec.Container(o.Name)
	if !c.State.Alive() || c.State == state.ContainerStopping {
		return nil // it has ended by itself meanwhile
	}
	p.probes.EndHook(c.Name)
	c.KillAt = c.StopBy
	if plan.GraceOf(p.rec, c, r.wanted(p), r.stopGrace(p)) > 0 {
		c.KillAt = max(c.StopBy, now.After(minimumGrace))
	}
	r.Log.Info("stopping container", "pod", p.name(), "container", o.Name, "signal", unix.SignalName(o.Signal), "grace", c.KillAt-now.Mono)
	// Also when the signal could not be sent: then SIGKILL is what is left.
	return errors.Join(c.Move(state.EventStop), o.Err)
}

// stopGrace is how long the pod gets if its end begins now.
func (r *Runtime) stopGrace(p *pod) time.Duration {
	grace := state.SpecGrace(&p.rec.Object.Spec)
	if p.grace != nil {
		grace = time.Duration(*p.grace) * time.Second
	}
	if limit := r.settings.Load().StopGrace; r.stopping && limit > 0 {
		grace = min(grace, limit)
	}
	return grace
}

// beginTermination begins the end of a container, with its pod or alone.
func (r *Runtime) beginTermination(p *pod, c *state.ContainerRecord, now state.Instant) {
	if p.rec.BeginTermination(c, now) {
		r.event(p, c.Name, now, corev1.EventTypeNormal, "Killing", cmp.Or(c.EndReason, "Stopping container "+c.Name))
	}
}

// shortenGrace lets a pod that ends already have no more than grace from now.
func (r *Runtime) shortenGrace(p *pod, grace time.Duration, now state.Instant) {
	if p.rec.ShortenGrace(grace, now) {
		r.save(p)
		r.mark(p.rec.UID)
	}
}
