package runtime

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container"
	"podd/runtime/plan"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// view is what the planner sees of a pod.
func (r *Runtime) view(p *pod) plan.View {
	rec := p.rec
	v := plan.View{
		State:         rec.State,
		Wanted:        r.wanted(p),
		Unfit:         p.unfit,
		RestartPolicy: rec.Object.Spec.RestartPolicy,
		SandboxAfter:  rec.Sandbox.NotBefore,
		Deadline:      rec.Deadline(),
		Condemned:     rec.Finish != nil,
		Initialized:   rec.Initialized,
		RestartAll:    rec.RestartAll,
		Containers:    make([]plan.ContainerView, 0, len(rec.Containers)),
	}
	r.viewVolumes(p, &v)
	if rec.Resize != nil && !rec.Resize.Applied {
		v.Resize, v.ResizeAfter = true, rec.Resize.NotBefore
	}
	if end := rec.Ending(); end != nil && (v.State == state.PodStopping || v.State == state.PodFinishing) {
		v.StopBy = end.By()
	}
	if v.State == state.PodFinishing && r.stopping && !p.deleted {
		v.Wanted = true // first its end is kept: what is done must not be done again after a reboot
	}
	if v.State == state.PodWaiting {
		v.Blocked = r.blocked(p)
	}
	for _, c := range rec.Containers {
		v.Containers = append(v.Containers, r.viewContainer(p, c, v.Wanted))
	}
	return v
}

func (r *Runtime) viewContainer(p *pod, c *state.ContainerRecord, wanted bool) plan.ContainerView {
	spec := p.rec.Spec(c.Name)
	v := plan.ContainerView{
		Name: c.Name, Kind: c.Kind, State: c.State, Attempt: c.Attempt,
		RestartPolicy: plan.OwnPolicy(spec),
		Failed:        c.HasFailed(),
		Void:          c.Void,
		Done:          c.Done,
		Awaited:       r.importing || c.Waiting != nil && state.IsImageReason(c.Waiting.Reason),
		Ending:        c.EndReason != "" || c.Unhealthy, Changed: c.Changed,
		PostStart: hasPostStart(spec),
		Hooking:   p.probes.HookRuns(c.Name), Hooked: c.Hooked,
		NotBefore: c.NotBefore, StopBy: c.StopBy, KillAt: c.KillAt, Killed: c.Killed,
	}
	if c.Ended != nil {
		v.Rule = plan.RestartRule(spec, c.Ended.Code)
	}
	if spec.Lifecycle != nil && spec.Lifecycle.PreStop != nil {
		v.PreStop = r.graceOf(p, c, wanted) > 0
	}
	if !c.State.Alive() {
		_, err := r.imageFor(p.rec, c.Name)
		v.Image = err == nil
	}
	return v
}

// graceOf is the grace that a container has or would have if its end began now: without any there is no hook.
func (r *Runtime) graceOf(p *pod, c *state.ContainerRecord, wanted bool) time.Duration {
	switch end := p.rec.Ending(); {
	case end != nil:
		return end.Grace
	case !wanted:
		return r.stopGrace(p)
	}
	return endGrace(p.rec, c)
}

// observeExit looks whether a container's process has ended, and how. The hint that led here may be wrong.
func (r *Runtime) observeExit(p *pod, name string, now state.Instant) {
	c, l := p.rec.Container(name), p.io[name]
	if c == nil || l == nil || !c.State.Alive() {
		return
	}
	if l.Ended() {
		r.ended(p, c, l, now)
	}
}

// ended takes the end of a container's process into the record.
func (r *Runtime) ended(p *pod, c *state.ContainerRecord, l *stdio.ContainerIO, now state.Instant) {
	t := state.Termination{Finished: now}
	status, err := l.ExitStatus(c.PID, c.PIDStart)
	if err == nil {
		t.Code, t.Signal, t.Reason = status.Code, status.Signal, exitReason(status)
	} else {
		t.Code, t.Reason = unknownCode, "ContainerStatusUnknown"
		t.Message = "It ended while podd was not running, and nobody kept its exit status"
	}
	if t.Code != 0 && r.oomKilled(p, c) {
		t.Reason = "OOMKilled"
	}
	r.end(p, c, t)
	r.scheduleRestart(p, c, now)
	p.probes.EndHook(c.Name)
	if c.Kind == state.KindInit && t.Code == 0 {
		c.Done = true
	}
	if p.rec.State == state.PodRunning && plan.RestartRule(p.rec.Spec(c.Name), t.Code) == corev1.ContainerRestartRuleActionRestartAllContainers {
		p.rec.RestartAll = true
	}
	if err := c.Move(state.EventExit); err != nil {
		r.Log.Error("cannot take in an exit", "pod", p.name(), "container", c.Name, "error", err)
	}
	r.Log.Info("container ended", "pod", p.name(), "container", c.Name, "attempt", c.Attempt, "exitCode", t.Code, "reason", t.Reason)
	r.sayBackoff(p, c, now)
	r.save(p)
	r.mark(p.rec.UID)
}

// unknownCode is the exit code that the kubelet gives a container whose end nobody saw.
const unknownCode = 137

func exitReason(s container.ExitStatus) string {
	if s.Code == 0 {
		return "Completed"
	}
	return "Error"
}

func (r *Runtime) oomKilled(p *pod, c *state.ContainerRecord) bool {
	kills, err := r.Cgroups.OOMKills(p.rec.Sandbox.CgroupPath + "/" + state.ContainerID(p.rec.UID, c.Name, c.Attempt))
	if err != nil {
		r.Log.Warn("cannot read a cgroup's OOM kills", "pod", p.name(), "container", c.Name, "error", err)
		return false
	}
	return kills > 0
}

// end files a termination; the one before it stays for lastState.
func (r *Runtime) end(p *pod, c *state.ContainerRecord, t state.Termination) {
	t.ID = state.ContainerID(p.rec.UID, c.Name, c.Attempt)
	if c.Started != nil {
		t.Started = *c.Started
	}
	c.Before, c.Ended = c.Ended, &t
}

func (r *Runtime) scheduleRestart(p *pod, c *state.ContainerRecord, now state.Instant) {
	ran := plan.BackoffReset
	if c.Started != nil {
		ran = now.Mono.Sub(c.Started.Mono)
	}
	if c.Changed || p.rec.RestartAll {
		// It has not crashed.
		c.Backoff, c.NotBefore = 0, 0
		return
	}
	delay, next := plan.RestartDelay(c.Backoff, ran)
	c.Backoff, c.NotBefore = next, now.After(delay)
}

// sayBackoff tells that a container waits for its next start.
func (r *Runtime) sayBackoff(p *pod, c *state.ContainerRecord, now state.Instant) {
	if p.rec.State != state.PodRunning || c.NotBefore <= now.Mono || !plan.Restarts(p.rec.Object.Spec.RestartPolicy, r.viewContainer(p, c, true)) {
		return
	}
	r.event(p, c.Name, now, corev1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)",
		c.Name, p.rec.Object.Name, p.rec.Object.Namespace, p.rec.UID))
}

// event records something that happened to a pod, or to one of its containers.
func (r *Runtime) event(p *pod, containerName string, now state.Instant, typ, reason, message string) {
	ref := corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod",
		Namespace: p.rec.Object.Namespace, Name: p.rec.Object.Name, UID: p.rec.UID,
	}
	if containerName != "" {
		ref.FieldPath = "spec.containers{" + containerName + "}"
		if c := p.rec.Container(containerName); c != nil && c.Kind != state.KindMain {
			ref.FieldPath = "spec.initContainers{" + containerName + "}"
		}
	}
	r.Events.Record(now.Wall, ref, typ, reason, message)
}
