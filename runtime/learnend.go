package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// minimumGrace is what a container has between its stop signal and SIGKILL, even if its hook or its turn has
// used up the pod's grace: the kubelet's own extension.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
const minimumGrace = 2 * time.Second

// stopGrace is how long the pod gets if its end begins now.
func (r *Runtime) stopGrace(p *pod) time.Duration {
	grace := specGrace(&p.rec.Object.Spec)
	if p.grace != nil {
		grace = time.Duration(*p.grace) * time.Second
	}
	if limit := r.settings.Load().StopGrace; r.stopping && limit > 0 {
		grace = min(grace, limit)
	}
	return grace
}

func specGrace(spec *corev1.PodSpec) time.Duration {
	if s := spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// beginStop begins the end of a pod that is removed. One that is ending already gets no more time by it.
func (r *Runtime) beginStop(p *pod, now Instant) error {
	grace := r.stopGrace(p)
	if p.rec.State == PodFinishing {
		grace = min(grace, max(p.rec.end().by()-now.Mono, 0))
	}
	if err := p.move(EventPodStop); err != nil {
		return err
	}
	p.rec.Stop = &StopRecord{Since: now, Grace: grace}
	return nil
}

// beginFinish begins the end of a pod that has succeeded or failed.
func (r *Runtime) beginFinish(p *pod, now Instant) error {
	if err := p.move(EventPodFinishing); err != nil {
		return err
	}
	if p.rec.Finish != nil { // evicted
		p.rec.Finish.Since = now
		return nil
	}
	p.rec.Finish = &FinishRecord{StopRecord: StopRecord{Since: now, Grace: specGrace(&p.rec.Object.Spec)}}
	if by := p.rec.deadline(); by != 0 && now.Mono >= by {
		f := p.rec.Finish
		f.Failed, f.Reason, f.Message = true, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
		r.event(p, "", now, corev1.EventTypeNormal, f.Reason, f.Message)
	}
	return nil
}

// deadline is the moment since boot at which the pod fails, 0 if there is none.
func (r *Record) deadline() time.Duration {
	if s := r.Object.Spec.ActiveDeadlineSeconds; s != nil && r.Created.Mono != earlierBoot {
		return r.Created.after(time.Duration(*s) * time.Second)
	}
	return 0
}

// by is the end of the grace, since boot.
func (s *StopRecord) by() time.Duration { return s.Since.after(s.Grace) }

// beginEnd begins the end of a container, with its pod or alone.
func (r *Runtime) beginEnd(p *pod, c *ContainerRecord, now Instant) {
	if c.StopBy != 0 {
		return
	}
	message := cmp.Or(c.EndReason, "Stopping container "+c.Name)
	c.StopBy = now.after(endGrace(p.rec, c))
	if end := p.rec.end(); end != nil {
		c.StopBy = end.by()
	}
	r.event(p, c.Name, now, corev1.EventTypeNormal, "Killing", message)
}

// endGrace is how long a container gets that ends alone.
func endGrace(rec *Record, c *ContainerRecord) time.Duration {
	if c.Unhealthy {
		return c.UnhealthyGrace
	}
	return specGrace(&rec.Object.Spec)
}

// shortenGrace lets a pod that ends already have no more than grace from now.
func (r *Runtime) shortenGrace(p *pod, grace time.Duration, now Instant) {
	stop := p.rec.end()
	if stop == nil || now.after(grace) >= stop.by() {
		return
	}
	stop.Grace = now.after(grace) - stop.Since.Mono
	for _, c := range p.rec.Containers {
		if c.StopBy != 0 {
			c.StopBy = min(c.StopBy, stop.by())
		}
		if c.State == ContainerStopping {
			c.KillAt = min(c.KillAt, now.after(grace))
		}
	}
	r.save(p)
	r.mark(p.rec.UID)
}

func (r *Runtime) learnPreStop(p *pod, a RunPreStop, now Instant) error {
	c := p.rec.container(a.Name)
	switch c.State {
	case ContainerPreStop: // an earlier daemon has died in it
	case ContainerPostStart, ContainerRunning:
		p.endHook(c.Name)
		c.Hooked = false
		if err := c.move(EventPreStop); err != nil {
			return err
		}
	case ContainerWaiting, ContainerStarting, ContainerStopping, ContainerExited, ContainerCollected:
		return nil // it has ended by itself meanwhile
	}
	r.startHook(p, c, now)
	return nil
}

func (r *Runtime) learnStop(p *pod, a StopContainer, m msgOutcome, now Instant) error {
	c := p.rec.container(a.Name)
	if !c.State.alive() || c.State == ContainerStopping {
		return nil // it has ended by itself meanwhile
	}
	p.endHook(c.Name)
	c.KillAt = c.StopBy
	if r.graceOf(p, c, r.wanted(p)) > 0 {
		c.KillAt = max(c.StopBy, now.after(minimumGrace))
	}
	r.Log.Info("stopping container", "pod", p.name(), "container", a.Name, "signal", unix.SignalName(m.outcome.(unix.Signal)), "grace", c.KillAt-now.Mono)
	// Also when the signal could not be sent: then SIGKILL is what is left.
	return errors.Join(c.move(EventStop), m.err)
}

// resetContainers lets every container begin anew in the sandbox that is there. Restarts go on counting.
func (r *Runtime) resetContainers(p *pod) error {
	p.rec.Initialized, p.rec.RestartAll = false, false
	for _, c := range p.rec.Containers {
		if err := c.move(EventReset); err != nil {
			return fmt.Errorf("cannot restart all containers of pod %q: %w", p.name(), err)
		}
		c.Done, c.Waiting = false, nil
	}
	return nil
}
