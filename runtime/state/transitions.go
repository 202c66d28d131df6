package state

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Move takes an event into the state of the pod. It is the only way for the state to change.
func (r *Record) Move(e PodEvent) error {
	next, err := r.State.transition(e)
	if err == nil {
		r.State = next
	}
	return err
}

// SpecGrace is a pod's own termination grace.
func SpecGrace(spec *corev1.PodSpec) time.Duration {
	if s := spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// BeginStop begins the end of a pod that is removed, or that ends with the board. One that is ending already gets no more time
// by it.
func (r *Record) BeginStop(now Instant, grace time.Duration, shutDown bool) error {
	if r.State == PodFinishing {
		grace = min(grace, max(r.Ending().By().Sub(now.Mono), 0))
	}
	if err := r.Move(EventPodStop); err != nil {
		return err
	}
	r.Stop = &StopRecord{Since: now, Grace: grace, ShutDown: shutDown}
	// Whoever was killed for another attempt and has not ended is killed for good.
	for _, c := range r.Containers {
		c.Killed = false
	}
	return nil
}

// BeginFinish begins the end of a pod that has succeeded or failed. overdue: it fails for its active deadline.
func (r *Record) BeginFinish(now Instant) (overdue bool, err error) {
	if err := r.Move(EventPodFinishing); err != nil {
		return false, err
	}
	if r.Finish != nil { // evicted
		r.Finish.Since = now
		return false, nil
	}
	r.Finish = &FinishRecord{StopRecord: StopRecord{Since: now, Grace: SpecGrace(&r.Object.Spec)}}
	if by := r.Deadline(); by != 0 && now.Mono >= by {
		r.Finish.Failed, r.Finish.Reason = true, "DeadlineExceeded"
		r.Finish.Message = "Pod was active on the node longer than the specified deadline"
		return true, nil
	}
	return false, nil
}

// ShortenGrace lets a pod that ends already have no more than grace from now. It says whether that changes anything.
func (r *Record) ShortenGrace(grace time.Duration, now Instant) bool {
	stop := r.Ending()
	if stop == nil || now.After(grace) >= stop.By() {
		return false
	}
	stop.Grace = now.After(grace).Sub(stop.Since.Mono)
	for _, c := range r.Containers {
		if c.StopBy != 0 {
			c.StopBy = min(c.StopBy, stop.By())
		}
		if c.State == ContainerStopping {
			c.KillAt = min(c.KillAt, now.After(grace))
		}
	}
	return true
}

// ResetContainers lets every container begin anew in the sandbox that is there. Restarts go on counting.
func (r *Record) ResetContainers() error {
	for _, c := range r.Containers {
		if _, err := c.State.transition(EventReset); c.Kind != KindEphemeral && err != nil {
			return fmt.Errorf("cannot restart all containers of pod %q: %w", r.Name(), err)
		}
	}
	r.Initialized, r.RestartAll = false, false
	for _, c := range r.Containers {
		if c.Kind == KindEphemeral {
			continue
		}
		if err := c.Move(EventReset); err != nil {
			return err
		}
		c.Done, c.Waiting, c.Anew = false, nil, c.Ended != nil
	}
	return nil
}

// GraceAlone is how long a container gets that ends without its pod.
func (r *Record) GraceAlone(c *ContainerRecord) time.Duration {
	if c.Unhealthy {
		return c.UnhealthyGrace
	}
	return SpecGrace(&r.Object.Spec)
}

// BeginTermination sets the end of the grace of a container that is to end, with its pod or alone. It says whether that
// is new.
func (r *Record) BeginTermination(c *ContainerRecord, now Instant) bool {
	if c.StopBy != 0 {
		return false
	}
	c.StopBy = now.After(r.GraceAlone(c))
	if end := r.Ending(); end != nil {
		c.StopBy = end.By()
	}
	return true
}

// RecordTermination files how an attempt ended; the one before it stays for lastState.
func (r *Record) RecordTermination(c *ContainerRecord, t Termination) {
	t.ID = ContainerID(r.UID, c.Name, c.Attempt)
	if c.Started != nil {
		t.Started = *c.Started
	}
	c.Before, c.Ended, c.Anew = c.Ended, &t, false
}

// BeginStart begins an attempt: nothing of the one before counts for it.
func (c *ContainerRecord) BeginStart(attempt int) error {
	if err := c.Move(EventStart); err != nil {
		return err
	}
	c.Attempt, c.Started, c.Killed, c.KillAt, c.StopBy, c.PID, c.PIDStart = attempt, nil, false, 0, 0, 0, 0
	c.Hooked, c.Changed, c.Reported, c.EndReason, c.User = false, false, false, "", nil
	c.resetProbes()
	return nil
}

// UndoStart puts a container back that was never tried, and lets it wait.
func (c *ContainerRecord) UndoStart(notBefore BootTime) error {
	if err := c.Move(EventStartFailed); err != nil {
		return err
	}
	c.NotBefore = max(c.NotBefore, notBefore)
	if err := c.Move(EventCollect); err != nil {
		return err
	}
	c.Uncount()
	return nil
}

// MarkCreated takes in that an attempt's process runs: its postStart hook comes next, if it has one.
func (c *ContainerRecord) MarkCreated(spec *corev1.Container, stopSignal corev1.Signal) error {
	var err error
	if HasPostStart(spec) {
		err = c.Move(EventCreated)
	} else {
		err = c.MarkRunning(spec)
	}
	if err == nil {
		c.StopSignal, c.Anew = stopSignal, false
	}
	return err
}

// MarkRunning takes in that a container runs and that its postStart hook is done.
func (c *ContainerRecord) MarkRunning(spec *corev1.Container) error {
	if err := c.Move(EventStarted); err != nil {
		return err
	}
	c.MarkSidecarDone(spec)
	return nil
}

// MarkSidecarDone lets the next container have its turn once a sidecar has started up.
func (c *ContainerRecord) MarkSidecarDone(spec *corev1.Container) {
	if c.Kind == KindSidecar && c.StartedUp(spec) {
		c.Done = true
	}
}

// EndReasonPostStart is why a container ends whose postStart hook has failed.
const EndReasonPostStart = "FailedPostStartHook"

// HasPostStart says whether a hook follows the container's start.
func HasPostStart(spec *corev1.Container) bool {
	return spec.Lifecycle != nil && spec.Lifecycle.PostStart != nil
}
