package runtime

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container"
)

// reasonConfigError is that of a container that cannot be configured: what it refers to is not there.
const reasonConfigError = "CreateContainerConfigError"

func (r *Runtime) learnStart(p *pod, a StartContainer, m msgOutcome, now Instant) error {
	c := p.rec.container(a.Name)
	if !errors.Is(m.err, errSkipped) && (c.State == ContainerCollected || c.State == ContainerWaiting) {
		if err := r.beginStart(c, a.Attempt); err != nil {
			return err
		}
	}
	if errors.Is(m.err, errSkipped) {
		if c.State != ContainerStarting {
			return nil // it was to follow a collect that has not come about
		}
		return r.undoStart(c, now)
	}
	s, _ := m.outcome.(started)
	if s.imageID != "" {
		c.ImageID = s.imageID
	}
	if s.live != nil {
		p.live[a.Name] = s.live
	}
	if m.err != nil {
		r.startFailed(p, c, m.err, now)
		return errors.Join(c.move(EventStartFailed), m.err)
	}
	if err := r.moveStarted(p, c, now); err != nil {
		return err
	}
	if s.object == p.rec.Object { // the manifest may have been edited while it started
		p.rec.resized(a.Name)
	}
	at := now
	c.Started, c.PID, c.PIDStart, c.Waiting = &at, s.process.PID, s.process.StartTime, nil
	c.User = &UserRecord{UID: s.process.UID, GID: s.process.GID, Groups: s.process.Groups}
	r.event(p, a.Name, now, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine", p.rec.spec(a.Name).Image))
	r.event(p, a.Name, now, corev1.EventTypeNormal, "Created", "Created container: "+a.Name)
	r.event(p, a.Name, now, corev1.EventTypeNormal, "Started", "Started container "+a.Name)
	if c.State == ContainerPostStart {
		r.startHook(p, c, now)
	}
	return r.watch(p, a.Name)
}

// moveStarted takes in that an attempt's process runs: its hook comes next, if it has one.
func (r *Runtime) moveStarted(p *pod, c *ContainerRecord, now Instant) error {
	c.StopSignal = corev1.Signal(r.stopSignal(p.rec, c.Name))
	if hasPostStart(p.rec.spec(c.Name)) {
		return c.move(EventCreated)
	}
	if err := c.move(EventStarted); err != nil {
		return err
	}
	r.running(p, c, now)
	return nil
}

func hasPostStart(spec *corev1.Container) bool {
	return spec.Lifecycle != nil && spec.Lifecycle.PostStart != nil
}

// running is told of a container that runs and whose postStart hook is done.
func (r *Runtime) running(p *pod, c *ContainerRecord, now Instant) {
	if c.Kind == KindSidecar && c.startedUp(p.rec.spec(c.Name)) {
		c.Done = true
	}
}

// undoStart puts a container back that was never tried because an earlier step failed.
func (r *Runtime) undoStart(c *ContainerRecord, now Instant) error {
	c.NotBefore = max(c.NotBefore, now.after(time.Second))
	if err := c.move(EventStartFailed); err != nil {
		return err
	}
	if err := c.move(EventCollect); err != nil {
		return err
	}
	c.uncount()
	return nil
}

// startFailed says why an attempt came to nothing and when the next one is due.
func (r *Runtime) startFailed(p *pod, c *ContainerRecord, err error, now Instant) {
	r.postpone(c, err, now)
	reason := "CreateContainerError"
	switch {
	case errors.Is(err, container.ErrConfig):
		reason = reasonConfigError
	case errors.Is(err, container.ErrRun):
		reason = "RunContainerError"
		const startErrorCode = 128
		r.end(p, c, Termination{Code: startErrorCode, Reason: "StartError", Message: err.Error(), Started: Instant{}, Finished: now})
	}
	c.Void = !errors.Is(err, container.ErrRun)
	c.Waiting = &Waiting{Reason: reason, Message: err.Error()}
	r.event(p, c.Name, now, corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
}

// postpone waits for the next try as after a crash, but at least the first delay where there was no container
// that could have crashed.
func (r *Runtime) postpone(c *ContainerRecord, err error, now Instant) {
	current := c.Backoff
	if !errors.Is(err, container.ErrRun) {
		current = max(current, backoffFirst)
	}
	delay, next := restartDelay(current, 0)
	c.Backoff, c.NotBefore = next, now.after(delay)
}

// watch hints at the loop when the container's process dies.
func (r *Runtime) watch(p *pod, name string) error {
	uid := p.rec.UID
	return p.live[name].watchExit(r, func() { r.inbox.put(msgExit{uid, name}) })
}

func (r *Runtime) learnImageMissing(p *pod, name string, now Instant) {
	c, spec := p.rec.container(name), p.rec.spec(name)
	if spec.ImagePullPolicy == corev1.PullNever {
		text := fmt.Sprintf("Container image %q is not present with pull policy of Never; load it with 'podd images load'", spec.Image)
		c.Waiting = &Waiting{Reason: "ErrImageNeverPull", Message: text}
		r.event(p, name, now, corev1.EventTypeWarning, "ErrImageNeverPull", text)
		return
	}
	text := fmt.Sprintf("image %q is not on this board, and podd does not pull from registries; load it with 'podd images load' or put its archive into the folder of images", spec.Image)
	c.Waiting = &Waiting{Reason: "ImagePullBackOff", Message: text}
	r.event(p, name, now, corev1.EventTypeWarning, "Failed", text)
}

func isImageReason(reason string) bool {
	return reason == "ErrImageNeverPull" || reason == "ImagePullBackOff"
}

// uncount takes back an attempt that never became a container.
func (c *ContainerRecord) uncount() {
	c.Void = false
	c.Attempt--
	if c.Ended == nil {
		c.State = ContainerWaiting // no attempt of this pod has run yet
	}
}

func (r *Runtime) beginStart(c *ContainerRecord, attempt int) error {
	if err := c.move(EventStart); err != nil {
		return err
	}
	c.Attempt, c.Started, c.Killed, c.KillAt, c.StopBy, c.PID, c.PIDStart = attempt, nil, false, 0, 0, 0, 0
	c.Hooked, c.Changed, c.EndReason = false, false, ""
	c.forgetProbes()
	return nil
}
