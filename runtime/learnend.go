package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/state"
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
func (r *Runtime) beginStop(p *pod, now state.Instant) error {
	grace := r.stopGrace(p)
	if p.rec.State == state.PodFinishing {
		grace = min(grace, max(p.rec.Ending().By().Sub(now.Mono), 0))
	}
	if err := p.move(state.EventPodStop); err != nil {
		return err
	}
	p.rec.Stop = &state.StopRecord{Since: now, Grace: grace}
	return nil
}

// beginFinish begins the end of a pod that has succeeded or failed.
func (r *Runtime) beginFinish(p *pod, now state.Instant) error {
	if err := p.move(state.EventPodFinishing); err != nil {
		return err
	}
	if p.rec.Finish != nil { // evicted
		p.rec.Finish.Since = now
		return nil
	}
	p.rec.Finish = &state.FinishRecord{StopRecord: state.StopRecord{Since: now, Grace: specGrace(&p.rec.Object.Spec)}}
	if by := p.rec.Deadline(); by != 0 && now.Mono >= by {
		f := p.rec.Finish
		f.Failed, f.Reason, f.Message = true, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
		r.event(p, "", now, corev1.EventTypeNormal, f.Reason, f.Message)
	}
	return nil
}

// beginEnd begins the end of a container, with its pod or alone.
func (r *Runtime) beginEnd(p *pod, c *state.ContainerRecord, now state.Instant) {
	if c.StopBy != 0 {
		return
	}
	message := cmp.Or(c.EndReason, "Stopping container "+c.Name)
	c.StopBy = now.After(endGrace(p.rec, c))
	if end := p.rec.Ending(); end != nil {
		c.StopBy = end.By()
	}
	r.event(p, c.Name, now, corev1.EventTypeNormal, "Killing", message)
}

// endGrace is how long a container gets that ends alone.
func endGrace(rec *state.Record, c *state.ContainerRecord) time.Duration {
	if c.Unhealthy {
		return c.UnhealthyGrace
	}
	return specGrace(&rec.Object.Spec)
}

// shortenGrace lets a pod that ends already have no more than grace from now.
func (r *Runtime) shortenGrace(p *pod, grace time.Duration, now state.Instant) {
	stop := p.rec.Ending()
	if stop == nil || now.After(grace) >= stop.By() {
		return
	}
	stop.Grace = now.After(grace).Sub(stop.Since.Mono)
	for _, c := range p.rec.Containers {
		if c.StopBy != 0 {
			c.StopBy = min(c.StopBy, stop.By())
		}
		if c.State == state.ContainerStopping {
			c.KillAt = min(c.KillAt, now.After(grace))
		}
	}
	r.save(p)
	r.mark(p.rec.UID)
}

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
	if r.graceOf(p, c, r.wanted(p)) > 0 {
		c.KillAt = max(c.StopBy, now.After(minimumGrace))
	}
	r.Log.Info("stopping container", "pod", p.name(), "container", o.Name, "signal", unix.SignalName(o.Signal), "grace", c.KillAt-now.Mono)
	// Also when the signal could not be sent: then SIGKILL is what is left.
	return errors.Join(c.Move(state.EventStop), o.Err)
}

// resetContainers lets every container begin anew in the sandbox that is there. Restarts go on counting.
func (r *Runtime) resetContainers(p *pod) error {
	p.rec.Initialized, p.rec.RestartAll = false, false
	for _, c := range p.rec.Containers {
		if err := c.Move(state.EventReset); err != nil {
			return fmt.Errorf("cannot restart all containers of pod %q: %w", p.name(), err)
		}
		c.Done, c.Waiting = false, nil
	}
	return nil
}
