package runtime

import (
	"errors"
	"fmt"
	"time"

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
		if err := r.beginStart(c, o.Attempt); err != nil {
			return err
		}
	}
	if errors.Is(o.Err, executor.ErrSkipped) {
		if c.State != state.ContainerStarting {
			return nil // it was to follow a collect that has not come about
		}
		return r.undoStart(c, now)
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
	if err := r.moveStarted(p, c, now); err != nil {
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

// moveStarted takes in that an attempt's process runs: its hook comes next, if it has one.
func (r *Runtime) moveStarted(p *pod, c *state.ContainerRecord, now state.Instant) error {
	c.StopSignal = corev1.Signal(r.stopSignal(p.rec, c.Name))
	if hasPostStart(p.rec.Spec(c.Name)) {
		return c.Move(state.EventCreated)
	}
	if err := c.Move(state.EventStarted); err != nil {
		return err
	}
	r.running(p, c, now)
	return nil
}

func hasPostStart(spec *corev1.Container) bool {
	return spec.Lifecycle != nil && spec.Lifecycle.PostStart != nil
}

// running is told of a container that runs and whose postStart hook is done.
func (r *Runtime) running(p *pod, c *state.ContainerRecord, now state.Instant) {
	if c.Kind == state.KindSidecar && c.StartedUp(p.rec.Spec(c.Name)) {
		c.Done = true
	}
}

// undoStart puts a container back that was never tried because an earlier step failed.
func (r *Runtime) undoStart(c *state.ContainerRecord, now state.Instant) error {
	c.NotBefore = max(c.NotBefore, now.After(time.Second))
	if err := c.Move(state.EventStartFailed); err != nil {
		return err
	}
	if err := c.Move(state.EventCollect); err != nil {
		return err
	}
	c.Uncount()
	return nil
}

// startFailed says why an attempt came to nothing and when the next one is due.
func (r *Runtime) startFailed(p *pod, c *state.ContainerRecord, err error, now state.Instant) {
	r.postpone(c, err, now)
	reason := "CreateContainerError"
	switch {
	case errors.Is(err, container.ErrConfig):
		reason = reasonConfigError
	case errors.Is(err, container.ErrRun):
		reason = "RunContainerError"
		const startErrorCode = 128
		r.end(p, c, state.Termination{Code: startErrorCode, Reason: "StartError", Message: err.Error(), Started: state.Instant{}, Finished: now})
	}
	c.Void = !errors.Is(err, container.ErrRun)
	c.Waiting = &state.Waiting{Reason: reason, Message: err.Error()}
	r.event(p, c.Name, now, corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
}

// postpone waits for the next try as after a crash, but at least the first delay where there was no container
// that could have crashed.
func (r *Runtime) postpone(c *state.ContainerRecord, err error, now state.Instant) {
	current := c.Backoff
	if !errors.Is(err, container.ErrRun) {
		current = max(current, plan.BackoffFirst)
	}
	delay, next := plan.RestartDelay(current, 0)
	c.Backoff, c.NotBefore = next, now.After(delay)
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

func (r *Runtime) beginStart(c *state.ContainerRecord, attempt int) error {
	if err := c.Move(state.EventStart); err != nil {
		return err
	}
	c.Attempt, c.Started, c.Killed, c.KillAt, c.StopBy, c.PID, c.PIDStart = attempt, nil, false, 0, 0, 0, 0
	c.Hooked, c.Changed, c.Reported, c.EndReason, c.User = false, false, false, "", nil
	c.ResetProbes()
	return nil
}
