package runtime

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

// handleProbe takes the news of a probe in.
func (r *Runtime) handleProbe(m prober.News, now state.Instant) {
	p := r.pods[m.UID]
	if p == nil || !p.probes.IsCurrent(p.rec, m) {
		return // its container has ended, or is another by now
	}
	c := p.rec.Container(m.Name)
	r.reportProbe(p, c, m, now)
	if c.ProbeRuns == nil {
		c.ProbeRuns = &state.ProbeRuns{}
	}
	run := m.Kind.RunIn(c.ProbeRuns)
	news := state.ProbeRun{Result: string(m.Report.Run.Result), Count: m.Report.Run.Count}
	if *run == news {
		return
	}
	*run = news
	r.applyProbeResult(p, c, m.Kind, now)
	r.save(p)
	r.publish(p, now)
	r.mark(p.rec.UID)
}

// applyProbeResult draws the consequences of a probe's run. Liveness is taken for granted, readiness is not.
func (r *Runtime) applyProbeResult(p *pod, c *state.ContainerRecord, k prober.Kind, now state.Instant) {
	spec := p.rec.Spec(c.Name)
	verdict := prober.Thresholds(k.Of(spec)).Verdict(prober.RunOf(k.RunIn(c.ProbeRuns)))
	switch {
	case verdict == probe.Unknown:
	case k == prober.Readiness:
		c.Ready = verdict == probe.Success
		r.Log.Info("readiness", "pod", p.name(), "container", c.Name, "ready", c.Ready)
	case verdict == probe.Failure:
		r.markUnhealthy(p, c, k)
	case k == prober.Startup:
		c.StartedOK = true
		c.MarkSidecarDone(spec)
	}
}

// markUnhealthy lets a container end, and begin again if its policy allows.
func (r *Runtime) markUnhealthy(p *pod, c *state.ContainerRecord, k prober.Kind) {
	spec := p.rec.Spec(c.Name)
	c.Unhealthy, c.UnhealthyGrace = true, state.SpecGrace(&p.rec.Object.Spec)
	if s := k.Of(spec).TerminationGracePeriodSeconds; s != nil {
		c.UnhealthyGrace = time.Duration(*s) * time.Second
	}
	c.EndReason = fmt.Sprintf("Container %s failed %s probe", c.Name, strings.ToLower(string(k)))
	if plan.WillRestart(p.rec, &state.ContainerRecord{Name: c.Name, Kind: c.Kind}) {
		c.EndReason += ", will be restarted"
	}
	r.Log.Warn("container is unhealthy", "pod", p.name(), "container", c.Name, "probe", strings.ToLower(string(k)), "grace", c.UnhealthyGrace)
}

// reportProbe records what a kubelet would.
func (r *Runtime) reportProbe(p *pod, c *state.ContainerRecord, m prober.News, now state.Instant) {
	text := m.Report.Text
	switch m.Report.Result {
	case probe.Failure:
		r.event(p, c.Name, now, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe failed: %s", m.Kind, text))
	case probe.Warning:
		r.event(p, c.Name, now, corev1.EventTypeWarning, "ProbeWarning", fmt.Sprintf("%s probe warning: %s", m.Kind, text))
	case probe.Unknown:
		r.event(p, c.Name, now, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe errored and resulted in unknown state: %s", m.Kind, text))
	case probe.Success:
	}
}

// handleHookEnded takes in how a hook has ended.
func (r *Runtime) handleHookEnded(p *pod, m prober.HookEnded, now state.Instant) {
	if !p.probes.TakeHook(p.rec, m) {
		return
	}
	c := p.rec.Container(m.Name)
	c.Hooked = true
	r.save(p)
	r.mark(p.rec.UID)
	if m.Err != nil {
		name := prober.HookName(c.State)
		r.Log.Warn("hook failed", "pod", p.name(), "container", c.Name, "hook", name, "error", m.Err)
		r.event(p, c.Name, now, corev1.EventTypeWarning, "Failed"+name, name+" failed: "+m.Err.Error())
		if c.State == state.ContainerPostStart {
			c.EndReason = "FailedPostStartHook"
		}
		return
	}
	if c.State == state.ContainerPostStart {
		if err := c.MarkRunning(p.rec.Spec(c.Name)); err != nil {
			r.Log.Error("cannot take in a hook", "pod", p.name(), "container", c.Name, "error", err)
		}
	}
}
