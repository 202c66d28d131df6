package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/probe"
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
