package lifecycle

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container/process"
	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// CheckExit looks whether a container's process has ended, and how. The hint that led here may be wrong.
func (h *Handler) CheckExit(p *Pod, name string, now state.Instant) {
	c, l := p.Record.Container(name), p.IO[name]
	if c == nil || l == nil || !c.State.Alive() {
		return
	}
	if l.Ended() {
		h.recordExit(p, c, l, now)
	}
}

// recordExit takes the end of a container's process into the record.
func (h *Handler) recordExit(p *Pod, c *state.ContainerRecord, l executor.ContainerIO, now state.Instant) {
	t := state.Termination{Finished: now}
	status, err := l.ExitStatus(c.PID, c.PIDStart)
	if err == nil {
		t.Code, t.Signal, t.Reason = status.Code, status.Signal, exitReason(status)
	} else {
		t.Code, t.Reason = unknownCode, "ContainerStatusUnknown"
		t.Message = "It ended while podd was not running, and nobody kept its exit status"
	}
	if t.Code != 0 && h.oomKilled(p, c) {
		t.Reason = "OOMKilled"
	}
	p.Record.RecordTermination(c, t)
	plan.ScheduleRestart(p.Record, c, h.Inputs.LongestBackoff(), now)
	if p.Probes.EndHook(c.Name) {
		h.reportFailedHook(p, c, "PreStopHook", errHookOutlived, now)
	}
	if c.Kind == state.KindInit && t.Code == 0 {
		c.Done = true
	}
	if p.Record.State == state.PodRunning && plan.RestartRule(p.Record.Spec(c.Name), t.Code) == corev1.ContainerRestartRuleActionRestartAllContainers {
		p.Record.RestartAll = true
	}
	if err := c.Move(state.EventExit); err != nil {
		h.Log.Error("cannot take in an exit", "pod", p.Name(), "container", c.Name, "error", err)
	}
	h.Log.Info("container ended", "pod", p.Name(), "container", c.Name, "attempt", c.Attempt, "exitCode", t.Code, "reason", t.Reason)
	h.reportBackoff(p, c, now)
	h.Loop.Save(p)
	h.Loop.Mark(p)
}

var errHookOutlived = errors.New("it had not ended when its container did")

// unknownCode is the exit code that the kubelet gives a container whose end nobody saw.
const unknownCode = 137

func exitReason(s process.ExitStatus) string {
	if s.Code == 0 {
		return "Completed"
	}
	return "Error"
}

func (h *Handler) oomKilled(p *Pod, c *state.ContainerRecord) bool {
	kills, err := h.Cgroups.OOMKills(p.Record.Sandbox.CgroupPath + "/" + state.ContainerID(p.Record.UID, c.Name, c.Attempt))
	if err != nil {
		h.Log.Warn("cannot read a cgroup's OOM kills", "pod", p.Name(), "container", c.Name, "error", err)
		return false
	}
	return kills > 0
}

// reportBackoff records that a container waits for its next start.
func (h *Handler) reportBackoff(p *Pod, c *state.ContainerRecord, now state.Instant) {
	if !plan.WaitsInBackoff(p.Record, c, now) {
		return
	}
	h.Event(p, c.Name, now, corev1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)",
		c.Name, p.Record.Object.Name, p.Record.Object.Namespace, p.Record.UID))
}
