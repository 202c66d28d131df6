package runtime

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/probe"
	"podd/runtime/container"
	"podd/runtime/state"
)

// wantsProbe says whether a container is to be probed now: while it runs and nobody is ending it, the startup probe
// first and the others after it. Readiness is of interest until the end.
// https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
func (p *pod) wantsProbe(c *state.ContainerRecord, spec *corev1.Container, k probeKind) bool {
	if k == readinessProbe && p.rec.Stop != nil {
		return k.of(spec) != nil && p.rec.Serves(c) && c.StartedUp(spec)
	}
	if k.of(spec) == nil || c.State != state.ContainerRunning || p.rec.Ending() != nil || c.Unhealthy || c.EndReason != "" {
		return false
	}
	return c.StartedUp(spec) == (k != startupProbe)
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
func (r *Runtime) syncProbes(p *pod, now state.Instant) {
	for _, c := range p.rec.Containers {
		spec := p.rec.Spec(c.Name)
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

func (r *Runtime) startProbing(p *pod, c *state.ContainerRecord, spec *corev1.Container) *probing {
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
func probePlan(rec *state.Record, c *state.ContainerRecord, spec *corev1.Container, k probeKind, now state.Instant) probe.Plan {
	s := k.of(spec)
	plan := probe.Plan{
		First:      max(c.Started.After(seconds(s.InitialDelaySeconds)).Sub(now.Mono), 0),
		Period:     seconds(s.PeriodSeconds),
		Timeout:    seconds(s.TimeoutSeconds),
		Thresholds: thresholds(s),
		Spread:     probe.SpreadOf(string(rec.UID) + c.Name),
	}
	if c.ProbeRuns != nil {
		plan.Run = runOf(k.in(c.ProbeRuns))
	}
	return plan
}

func thresholds(s *corev1.Probe) probe.Thresholds {
	return probe.Thresholds{Success: int(s.SuccessThreshold), Failure: int(s.FailureThreshold)}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// Report hands the news of a probe to the loop.
func (s subject) Report(report probe.Report) { s.r.inbox.put(msgProbe{s, report}) }

// endOldProbes ends the commands of probes that an earlier daemon has left in a container.
func (r *Runtime) endOldProbes(p *pod, c *state.ContainerRecord) {
	if !hasExecProbe(p.rec.Spec(c.Name)) {
		return
	}
	if err := r.engine.KillProbes(state.ContainerID(p.rec.UID, c.Name, c.Attempt)); err != nil {
		r.Log.Warn("the probes of an earlier podd may go on in a container", "pod", p.name(), "container", c.Name, "error", err)
	}
}
