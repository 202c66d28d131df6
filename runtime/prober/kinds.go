package prober

import (
	corev1 "k8s.io/api/core/v1"

	"podd/probe"
	"podd/runtime/state"
)

// Kind is what a probe is for. Its text is the one that events begin with.
type Kind string

// The kinds of probes.
const (
	Startup   Kind = "Startup"
	Liveness  Kind = "Liveness"
	Readiness Kind = "Readiness"
)

var Kinds = [...]Kind{Startup, Liveness, Readiness}

// Of is the probe of this kind that a container has; nil: it has none.
func (k Kind) Of(spec *corev1.Container) *corev1.Probe {
	switch k {
	case Startup:
		return spec.StartupProbe
	case Liveness:
		return spec.LivenessProbe
	case Readiness:
	}
	return spec.ReadinessProbe
}

// RunIn is where the run of a probe of this kind is recorded.
func (k Kind) RunIn(runs *state.ProbeRuns) *state.ProbeRun {
	switch k {
	case Startup:
		return &runs.Startup
	case Liveness:
		return &runs.Liveness
	case Readiness:
	}
	return &runs.Readiness
}

// RunOf is a recorded run as the probes know it.
func RunOf(r *state.ProbeRun) probe.Run {
	return probe.Run{Result: probe.Result(r.Result), Count: r.Count}
}
