package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/probe"
	"podd/runtime/state"
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

func (k probeKind) in(runs *state.ProbeRuns) *state.ProbeRun {
	switch k {
	case startupProbe:
		return &runs.Startup
	case livenessProbe:
		return &runs.Liveness
	case readinessProbe:
	}
	return &runs.Readiness
}

// runOf is a recorded run as the probes know it.
func runOf(r *state.ProbeRun) probe.Run {
	return probe.Run{Result: probe.Result(r.Result), Count: r.Count}
}
