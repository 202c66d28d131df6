package runtime

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/probe"
	"podd/runtime/container"
)

// probeKind is what a probe is for. Its text is the one that events begin with.
type probeKind string

// The kinds of probes.
const (
	startupProbe   probeKind = "Startup"
	livenessProbe  probeKind = "Liveness"
	readinessProbe probeKind = "Readiness"
)

var probeKinds = [...]probeKind{startupProbe, livenessProbe, readinessProbe}

func (k probeKind) of(spec *corev1.Container) *corev1.Probe {
	switch k {
	case startupProbe:
		return spec.StartupProbe
	case livenessProbe:
		return spec.LivenessProbe
	case readinessProbe:
	}
	return spec.ReadinessProbe
}

// ProbeRuns is how often each probe of a container has had the same result of late.
type ProbeRuns struct {
	Startup   probe.Run `json:"startup,omitzero"`
	Liveness  probe.Run `json:"liveness,omitzero"`
	Readiness probe.Run `json:"readiness,omitzero"`
}

func (k probeKind) in(runs *ProbeRuns) *probe.Run {
	switch k {
	case startupProbe:
		return &runs.Startup
	case livenessProbe:
		return &runs.Liveness
	case readinessProbe:
	}
	return &runs.Readiness
}

// startedUp says of a running container that its startup probe has succeeded, or that it has none.
func (c *ContainerRecord) startedUp(spec *corev1.Container) bool {
	return spec.StartupProbe == nil || c.StartedOK
}

// ready says of a running container that its readiness probe succeeds, or that it has none and has started.
func (c *ContainerRecord) ready(spec *corev1.Container) bool {
	return c.startedUp(spec) && (spec.ReadinessProbe == nil || c.Ready)
}

// failed says of a container that its last attempt has not ended well. One that was ended for its probes has failed
// whatever its exit code is, as with the kubelet.
func (c *ContainerRecord) failed() bool { return c.Ended == nil || c.Ended.Code != 0 || c.Unhealthy }

// forgetProbes begins a new attempt: a container that starts has no results.
func (c *ContainerRecord) forgetProbes() {
	c.StartedOK, c.Ready, c.Unhealthy, c.UnhealthyGrace, c.ProbeRuns = false, false, false, 0, nil
}

// wantsProbe says whether a container is to be probed now: while it runs and nobody is ending it, the startup probe
// first and the others after it.
// https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
func (p *pod) wantsProbe(c *ContainerRecord, spec *corev1.Container, k probeKind) bool {
	if k.of(spec) == nil || c.State != ContainerRunning || p.rec.end() != nil || c.Unhealthy || c.EndReason != "" {
		return false
	}
	return c.startedUp(spec) == (k != startupProbe)
}

// probing is one attempt of a container that is probed. Its fields are not changed, but for handles, which is the loop's.
type probing struct {
	r       *Runtime
	uid     types.UID
	spec    *corev1.Container
	attempt int
	target  netTarget
	config  *container.Config // for commands
	handles [len(probeKinds)]*probe.Handle
}

// subject is one probe of it.
type subject struct {
	*probing
	kind probeKind
}

// syncProbes brings the schedule into line with a pod's record.
func (r *Runtime) syncProbes(p *pod, now Instant) {
	for _, c := range p.rec.Containers {
		spec := p.rec.spec(c.Name)
		on := p.probing[c.Name]
		for i, k := range probeKinds {
			wanted := p.wantsProbe(c, spec, k)
			if on != nil && on.handles[i] != nil && (!wanted || on.attempt != c.Attempt) {
				r.prober.Stop(on.handles[i])
				on.handles[i] = nil
			}
			if !wanted {
				continue
			}
			if on == nil || on.attempt != c.Attempt {
				on = r.startProbing(p, c, spec)
			}
			if on.handles[i] == nil {
				on.handles[i] = r.prober.Add(subject{on, k}, probePlan(p.rec, c, spec, k, now))
			}
		}
		if on != nil && on.handles == [len(probeKinds)]*probe.Handle{} {
			delete(p.probing, c.Name)
		}
	}
}

func (r *Runtime) startProbing(p *pod, c *ContainerRecord, spec *corev1.Container) *probing {
	on := &probing{r: r, uid: p.rec.UID, spec: spec, attempt: c.Attempt, target: r.netTarget(p.rec, spec)}
	if hasExecProbe(spec) {
		config, err := r.execConfig(p.rec, c)
		if err != nil {
			r.Log.Error("cannot prepare the commands of probes", "pod", p.name(), "container", c.Name, "error", err)
		}
		on.config = config
	}
	if p.probing == nil {
		p.probing = map[string]*probing{}
	}
	p.probing[c.Name] = on
	return on
}

func hasExecProbe(spec *corev1.Container) bool {
	for _, k := range probeKinds {
		if s := k.of(spec); s != nil && s.Exec != nil {
			return true
		}
	}
	return false
}

// probePlan is when and how often; the initial delay counts from the start of the container.
func probePlan(rec *Record, c *ContainerRecord, spec *corev1.Container, k probeKind, now Instant) probe.Plan {
	s := k.of(spec)
	plan := probe.Plan{
		First:      max(c.Started.after(seconds(s.InitialDelaySeconds))-now.Mono, 0),
		Period:     seconds(s.PeriodSeconds),
		Timeout:    seconds(s.TimeoutSeconds),
		Thresholds: thresholds(s),
		Spread:     probe.SpreadOf(string(rec.UID) + c.Name),
	}
	if c.ProbeRuns != nil {
		plan.Run = *k.in(c.ProbeRuns)
	}
	return plan
}

func thresholds(s *corev1.Probe) probe.Thresholds {
	return probe.Thresholds{Success: int(s.SuccessThreshold), Failure: int(s.FailureThreshold)}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// Report hands the news of a probe to the loop.
func (s subject) Report(report probe.Report) { s.r.inbox.put(msgProbe{s, report}) }

// learnProbe takes the news of a probe in.
func (r *Runtime) learnProbe(m msgProbe, now Instant) {
	p := r.pods[m.uid]
	if p == nil || p.probing[m.spec.Name] != m.probing {
		return // its container has ended, or is another by now
	}
	c, spec := p.rec.container(m.spec.Name), p.rec.spec(m.spec.Name)
	if !p.wantsProbe(c, spec, m.kind) {
		return
	}
	r.sayProbe(p, c, m, now)
	if c.ProbeRuns == nil {
		c.ProbeRuns = &ProbeRuns{}
	}
	run := m.kind.in(c.ProbeRuns)
	if *run == m.report.Run {
		return
	}
	*run = m.report.Run
	r.judge(p, c, m.kind, now)
	r.save(p)
	r.publish(p, now)
	r.mark(p.rec.UID)
}

// judge draws the consequences of a probe's run. Liveness is taken for granted, readiness is not.
func (r *Runtime) judge(p *pod, c *ContainerRecord, k probeKind, now Instant) {
	spec := p.rec.spec(c.Name)
	verdict := thresholds(k.of(spec)).Verdict(*k.in(c.ProbeRuns))
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
func (r *Runtime) condemn(p *pod, c *ContainerRecord, k probeKind) {
	spec := p.rec.spec(c.Name)
	c.Unhealthy, c.UnhealthyGrace = true, specGrace(&p.rec.Object.Spec)
	if s := k.of(spec).TerminationGracePeriodSeconds; s != nil {
		c.UnhealthyGrace = time.Duration(*s) * time.Second
	}
	c.EndReason = fmt.Sprintf("Container %s failed %s probe", c.Name, strings.ToLower(string(k)))
	if p.willRestart(&ContainerRecord{Name: c.Name, Kind: c.Kind}) {
		c.EndReason += ", will be restarted"
	}
	r.Log.Warn("container is unhealthy", "pod", p.name(), "container", c.Name, "probe", strings.ToLower(string(k)), "grace", c.UnhealthyGrace)
}

// sayProbe records what a kubelet would.
func (r *Runtime) sayProbe(p *pod, c *ContainerRecord, m msgProbe, now Instant) {
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
