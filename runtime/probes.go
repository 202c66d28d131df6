package runtime

import corev1 "k8s.io/api/core/v1"

// startedUp says of a running container that its startup probe has succeeded, or that it has none.
func (c *ContainerRecord) startedUp(spec *corev1.Container) bool {
	return spec.StartupProbe == nil || c.StartedOK
}

// ready says of a running container that its readiness probe succeeds, or that it has none and has started.
func (c *ContainerRecord) ready(spec *corev1.Container) bool {
	return c.startedUp(spec) && (spec.ReadinessProbe == nil || c.Ready)
}

// forgetProbes begins a new attempt: a container that starts has no results.
func (c *ContainerRecord) forgetProbes() {
	c.StartedOK, c.Ready, c.Unhealthy, c.UnhealthyGrace = false, false, false, 0
}
