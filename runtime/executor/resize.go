package executor

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// resize gives the pod's cgroup and those of its containers the limits that the spec has now. A pod that gets more
// gets it before its containers do, one that gets less after them: version 1 lets no child have more CPU than
// its parent.
func (op *run) resize() error {
	spec := &op.Record.Object.Spec
	pod := sandbox.PodResources(spec, op.Inputs.Sandbox.PidsLimit)
	_, first := op.Cgroups.EnsurePod(string(op.Record.UID), sandbox.CgroupTier(spec), pod)
	for _, c := range op.Record.Containers {
		if op.IO[c.Name] == nil || c.Changed {
			continue // the next attempt starts with them
		}
		path := op.Record.Sandbox.CgroupPath + "/" + state.ContainerID(op.Record.UID, c.Name, c.Attempt)
		if err := op.Cgroups.Resize(path, containerResources(op.Record.Spec(c.Name))); err != nil {
			return fmt.Errorf("cannot resize container %q: %w", c.Name, err)
		}
	}
	if first == nil {
		return nil
	}
	_, err := op.Cgroups.EnsurePod(string(op.Record.UID), sandbox.CgroupTier(spec), pod)
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
