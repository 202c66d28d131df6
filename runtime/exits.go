package runtime

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container"
	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// checkExit looks whether a container's process has ended, and how. The hint that led here may be wrong.
func (r *Runtime) checkExit(p *pod, name string, now state.Instant) {
	c, l := p.rec.Container(name), p.io[name]
	if c == nil || l == nil || !c.State.Alive() {
		return
	}
	if l.Ended() {
		r.recordExit(p, c, l, now)
	}
}

// recordExit takes the end of a container's process into the record.
func (r *Runtime) recordExit(p *pod, c *state.ContainerRecord, l executor.ContainerIO, now state.Instant) {
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
	p.rec.RecordTermination(c, t)
	plan.ScheduleRestart(p.rec, c, now)
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
	r.reportBackoff(p, c, now)
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

// reportBackoff records that a container waits for its next start.
func (r *Runtime) reportBackoff(p *pod, c *state.ContainerRecord, now state.Instant) {
	if !plan.WaitsInBackoff(p.rec, c, now) {
		return
	}
	r.event(p, c.Name, now, corev1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)",
		c.Name, p.rec.Object.Name, p.rec.Object.Namespace, p.rec.UID))
}
