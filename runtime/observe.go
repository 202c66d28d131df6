package runtime

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container"
)

// view is what the planner sees of a pod.
func (r *Runtime) view(p *pod) View {
	v := View{
		State:         p.rec.State,
		Wanted:        r.wanted(p),
		RestartPolicy: p.rec.Object.Spec.RestartPolicy,
		SandboxAfter:  p.rec.Sandbox.NotBefore,
		Containers:    make([]ContainerView, 0, len(p.rec.Containers)),
	}
	if v.State == PodWaiting {
		v.Blocked = r.blocked(p)
	}
	for _, c := range p.rec.Containers {
		v.Containers = append(v.Containers, r.viewContainer(p, c))
	}
	return v
}

func (r *Runtime) viewContainer(p *pod, c *ContainerRecord) ContainerView {
	v := ContainerView{
		Name: c.Name, State: c.State, Attempt: c.Attempt,
		Failed:    c.Ended == nil || c.Ended.Code != 0,
		Void:      c.Void,
		Awaited:   r.importing || c.Waiting != nil && isImageReason(c.Waiting.Reason),
		NotBefore: c.NotBefore, KillAt: c.KillAt, Killed: c.Killed,
	}
	if !c.State.alive() {
		_, err := r.Images.Get(p.rec.spec(c.Name).Image)
		v.Image = err == nil
	}
	return v
}

// observeExit looks whether a container's process has ended, and how. The hint that led here may be wrong.
func (r *Runtime) observeExit(p *pod, name string, now Instant) {
	c, l := p.rec.container(name), p.live[name]
	if c == nil || l == nil || l.pidfd == nil || !c.State.alive() {
		return
	}
	if alive, err := container.Alive(int(l.pidfd.Fd())); err != nil || alive {
		return
	}
	r.ended(p, c, l, now)
}

// ended takes the end of a container's process into the record.
func (r *Runtime) ended(p *pod, c *ContainerRecord, l *live, now Instant) {
	fd := -1
	if l.pidfd != nil {
		fd = int(l.pidfd.Fd())
	}
	t := Termination{Finished: now}
	status, err := container.Reap(c.PID, c.PIDStart, fd)
	if errors.Is(err, container.ErrStatusUnknown) {
		status, err = r.exits.take(c.PID)
	}
	r.exits.forget(c.PID)
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
	r.scheduleRestart(c, now)
	if err := c.move(EventExit); err != nil {
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

func (r *Runtime) oomKilled(p *pod, c *ContainerRecord) bool {
	kills, err := r.Cgroups.OOMKills(p.rec.Sandbox.CgroupPath + "/" + containerID(p.rec.UID, c.Name, c.Attempt))
	if err != nil {
		r.Log.Warn("cannot read a cgroup's OOM kills", "pod", p.name(), "container", c.Name, "error", err)
		return false
	}
	return kills > 0
}

// end files a termination; the one before it stays for lastState.
func (r *Runtime) end(p *pod, c *ContainerRecord, t Termination) {
	t.ID = containerID(p.rec.UID, c.Name, c.Attempt)
	if c.Started != nil {
		t.Started = *c.Started
	}
	c.Before, c.Ended = c.Ended, &t
}

func (r *Runtime) scheduleRestart(c *ContainerRecord, now Instant) {
	ran := backoffReset
	if c.Started != nil {
		ran = now.Mono - c.Started.Mono
	}
	delay, next := restartDelay(c.Backoff, ran)
	c.Backoff, c.NotBefore = next, now.after(delay)
}

// sayBackoff tells that a container waits for its next start.
func (r *Runtime) sayBackoff(p *pod, c *ContainerRecord, now Instant) {
	if p.rec.State != PodRunning || c.NotBefore <= now.Mono || !restarts(p.rec.Object.Spec.RestartPolicy, r.viewContainer(p, c)) {
		return
	}
	r.event(p, c.Name, now, corev1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)",
		c.Name, p.rec.Object.Name, p.rec.Object.Namespace, p.rec.UID))
}

// event records something that happened to a pod, or to one of its containers.
func (r *Runtime) event(p *pod, containerName string, now Instant, typ, reason, message string) {
	ref := corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod",
		Namespace: p.rec.Object.Namespace, Name: p.rec.Object.Name, UID: p.rec.UID,
	}
	if containerName != "" {
		ref.FieldPath = "spec.containers{" + containerName + "}"
	}
	r.Events.Record(now.Wall, ref, typ, reason, message)
}
