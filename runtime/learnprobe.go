package runtime

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/probe"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// learnProbe takes the news of a probe in.
func (r *Runtime) learnProbe(m msgProbe, now state.Instant) {
	p := r.pods[m.uid]
	if p == nil || p.probing[m.spec.Name] != m.probing {
		return // its container has ended, or is another by now
	}
	c, spec := p.rec.Container(m.spec.Name), p.rec.Spec(m.spec.Name)
	if !p.wantsProbe(c, spec, m.kind) {
		return
	}
	r.sayProbe(p, c, m, now)
	if c.ProbeRuns == nil {
		c.ProbeRuns = &state.ProbeRuns{}
	}
	run := m.kind.in(c.ProbeRuns)
	news := state.ProbeRun{Result: string(m.report.Run.Result), Count: m.report.Run.Count}
	if *run == news {
		return
	}
	*run = news
	r.judge(p, c, m.kind, now)
	r.save(p)
	r.publish(p, now)
	r.mark(p.rec.UID)
}

// judge draws the consequences of a probe's run. Liveness is taken for granted, readiness is not.
func (r *Runtime) judge(p *pod, c *state.ContainerRecord, k probeKind, now state.Instant) {
	spec := p.rec.Spec(c.Name)
	verdict := thresholds(k.of(spec)).Verdict(runOf(k.in(c.ProbeRuns)))
	switch {
	case verdict == probe.Unknown:
	case k == readinessProbe:
		c.Ready = verdict == probe.Success
		r.Log.Info("readiness", "pod", p.name(), "container", c.Name, "ready", c.Ready)
	case verdict == probe.Failure:
		r.condemn(p, c, k)
	case k == startupProbe:
		c.StartedOK = true
		r.running(p, c, now)
	}
}

// condemn lets a container end, and begin again if its policy allows.
func (r *Runtime) condemn(p *pod, c *state.ContainerRecord, k probeKind) {
	spec := p.rec.Spec(c.Name)
	c.Unhealthy, c.UnhealthyGrace = true, specGrace(&p.rec.Object.Spec)
	if s := k.of(spec).TerminationGracePeriodSeconds; s != nil {
		c.UnhealthyGrace = time.Duration(*s) * time.Second
	}
	c.EndReason = fmt.Sprintf("Container %s failed %s probe", c.Name, strings.ToLower(string(k)))
	if plan.WillRestart(p.rec, &state.ContainerRecord{Name: c.Name, Kind: c.Kind}) {
		c.EndReason += ", will be restarted"
	}
	r.Log.Warn("container is unhealthy", "pod", p.name(), "container", c.Name, "probe", strings.ToLower(string(k)), "grace", c.UnhealthyGrace)
}

// sayProbe records what a kubelet would.
func (r *Runtime) sayProbe(p *pod, c *state.ContainerRecord, m msgProbe, now state.Instant) {
	text := m.report.Text
	switch m.report.Result {
	case probe.Failure:
		r.event(p, c.Name, now, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe failed: %s", m.kind, text))
	case probe.Warning:
		r.event(p, c.Name, now, corev1.EventTypeWarning, "ProbeWarning", fmt.Sprintf("%s probe warning: %s", m.kind, text))
	case probe.Unknown:
		r.event(p, c.Name, now, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe errored and resulted in unknown state: %s", m.kind, text))
	case probe.Success:
	}
}
