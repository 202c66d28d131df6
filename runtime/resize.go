package runtime

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// resizeRetry is how long a resize rests that the kernel could not take, because too much memory is in use.
const resizeRetry = 10 * time.Second

// resize gives the pod's cgroup and those of its containers the limits that the spec has now. A pod that gets more
// gets it before its containers do, one that gets less after them: version 1 lets no child have more CPU than
// its parent.
func (op *operation) resize() error {
	spec := &op.rec.Object.Spec
	pod := sandbox.PodResources(spec, op.r.settings.Load().PodPidsLimit)
	_, first := op.r.Cgroups.EnsurePod(string(op.uid), sandbox.CgroupTier(spec), pod)
	for _, c := range op.rec.Containers {
		if op.io[c.Name] == nil || c.Changed {
			continue // the next attempt starts with them
		}
		path := op.rec.Sandbox.CgroupPath + "/" + state.ContainerID(op.uid, c.Name, c.Attempt)
		if err := op.r.Cgroups.Resize(path, containerResources(op.rec.Spec(c.Name))); err != nil {
			return fmt.Errorf("cannot resize container %q: %w", c.Name, err)
		}
	}
	if first == nil {
		return nil
	}
	_, err := op.r.Cgroups.EnsurePod(string(op.uid), sandbox.CgroupTier(spec), pod)
	return err
}

// containerResources are the limits of a container's own cgroup, as it starts with.
func containerResources(spec *corev1.Container) cgroups.Resources {
	request, limit := spec.Resources.Requests.Cpu().MilliValue(), spec.Resources.Limits.Cpu().MilliValue()
	if _, asked := spec.Resources.Requests[corev1.ResourceCPU]; !asked {
		request = limit
	}
	out := cgroups.Resources{CPUShares: cgroups.MilliCPUToShares(request), MemoryLimit: spec.Resources.Limits.Memory().Value()}
	if limit > 0 {
		out.CPUPeriodUS = 100000
		out.CPUQuotaUS = cgroups.MilliCPUToQuota(limit, out.CPUPeriodUS)
	}
	return out
}

func (r *Runtime) learnResize(p *pod, m msgOutcome, now state.Instant) {
	if p.rec.Resize == nil || errors.Is(m.err, errSkipped) {
		return
	}
	if m.err == nil && m.outcome != p.rec.Object {
		return // edited meanwhile: these are not the limits any more
	}
	if m.err == nil {
		p.rec.Resize.Applied, p.rec.Resize.Error = true, ""
		for _, c := range p.rec.Containers {
			if !c.Changed {
				p.rec.MarkResized(c.Name)
			}
		}
		r.shareOut()
		r.event(p, "", now, corev1.EventTypeNormal, "ResizeCompleted", "Pod resize completed")
		return
	}
	p.rec.Resize.NotBefore = now.After(resizeRetry)
	if p.rec.Resize.Error != m.err.Error() {
		p.rec.Resize.Error = m.err.Error()
		r.event(p, "", now, corev1.EventTypeWarning, "ResizeError", m.err.Error())
	}
}
