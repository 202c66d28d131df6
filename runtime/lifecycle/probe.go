package lifecycle

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/probe"
	"podd/runtime/plan"
	"podd/runtime/prober"
	"podd/runtime/state"
)

// HandleProbe takes the news of a probe in.
func (h *Handler) HandleProbe(p *Pod, m prober.News, now state.Instant) {
	if !p.Probes.IsCurrent(p.Record, m) {
		return // its container has ended, or is another by now
	}
	c := p.Record.Container(m.Name)
	h.reportProbe(p, c, m, now)
	if c.ProbeRuns == nil {
		c.ProbeRuns = &state.ProbeRuns{}
	}
	run := m.Kind.RunIn(c.ProbeRuns)
	news := state.ProbeRun{Result: string(m.Report.Run.Result), Count: m.Report.Run.Count}
	if *run == news {
		return
	}
	*run = news
	h.applyProbeResult(p, c, m.Kind, now)
	h.Loop.Save(p)
	h.Loop.Publish(p, now)
	h.Loop.Mark(p)
}

// applyProbeResult draws the consequences of a probe's run. Liveness is taken for granted, readiness is not.
func (h *Handler) applyProbeResult(p *Pod, c *state.ContainerRecord, k prober.Kind, now state.Instant) {
	spec := p.Record.Spec(c.Name)
	verdict := prober.Thresholds(k.Of(spec)).Verdict(prober.RunOf(k.RunIn(c.ProbeRuns)))
	switch {
	case verdict == probe.Unknown:
	case k == prober.Readiness:
		c.Ready = verdict == probe.Success
		h.Log.Info("readiness", "pod", p.Name(), "container", c.Name, "ready", c.Ready)
	case verdict == probe.Failure:
		h.markUnhealthy(p, c, k)
	case k == prober.Startup:
		c.StartedOK = true
		c.MarkSidecarDone(spec)
	}
}

// markUnhealthy lets a container end, and begin again if its policy allows.
func (h *Handler) markUnhealthy(p *Pod, c *state.ContainerRecord, k prober.Kind) {
	spec := p.Record.Spec(c.Name)
	c.Unhealthy, c.UnhealthyGrace = true, state.SpecGrace(&p.Record.Object.Spec)
	if s := k.Of(spec).TerminationGracePeriodSeconds; s != nil {
		c.UnhealthyGrace = time.Duration(*s) * time.Second
	}
	c.EndReason = fmt.Sprintf("Container %s failed %s probe", c.Name, strings.ToLower(string(k)))
	if plan.WillRestart(p.Record, &state.ContainerRecord{Name: c.Name, Kind: c.Kind}) {
		c.EndReason += ", will be restarted"
	}
	h.Log.Warn("container is unhealthy", "pod", p.Name(), "container", c.Name, "probe", strings.ToLower(string(k)), "grace", c.UnhealthyGrace)
}

// reportProbe records what a kubelet would.
func (h *Handler) reportProbe(p *Pod, c *state.ContainerRecord, m prober.News, now state.Instant) {
	text := m.Report.Text
	switch m.Report.Result {
	case probe.Failure:
		h.Event(p, c.Name, now, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe failed: %s", m.Kind, text))
	case probe.Warning:
		h.Event(p, c.Name, now, corev1.EventTypeWarning, "ProbeWarning", fmt.Sprintf("%s probe warning: %s", m.Kind, text))
	case probe.Unknown:
		h.Event(p, c.Name, now, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe errored and resulted in unknown state: %s", m.Kind, text))
	case probe.Success:
	}
}

// HandleHookEnded takes in how a hook has ended.
func (h *Handler) HandleHookEnded(p *Pod, m prober.HookEnded, now state.Instant) {
	if !p.Probes.TakeHook(p.Record, m) {
		return
	}
	c := p.Record.Container(m.Name)
	c.Hooked = true
	h.Loop.Save(p)
	h.Loop.Mark(p)
	if m.Err != nil {
		name := prober.HookName(c.State)
		h.reportFailedHook(p, c, name, m.Err, now)
		if c.State == state.ContainerPostStart {
			c.EndReason = state.EndReasonPostStart
		}
		return
	}
	if c.State == state.ContainerPostStart {
		if err := c.MarkRunning(p.Record.Spec(c.Name)); err != nil {
			h.Log.Error("cannot take in a hook", "pod", p.Name(), "container", c.Name, "error", err)
		}
	}
}

func (h *Handler) reportFailedHook(p *Pod, c *state.ContainerRecord, name string, err error, now state.Instant) {
	h.Log.Warn("hook failed", "pod", p.Name(), "container", c.Name, "hook", name, "error", err)
	h.Event(p, c.Name, now, corev1.EventTypeWarning, "Failed"+name, name+" failed: "+err.Error())
}
