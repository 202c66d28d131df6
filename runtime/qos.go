package runtime

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/cgroups"
)

// qosClass is the pod's quality of service.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
func qosClass(spec *corev1.PodSpec) corev1.PodQOSClass {
	if spec.Resources != nil && (len(spec.Resources.Requests) > 0 || len(spec.Resources.Limits) > 0) {
		return qosOf([]corev1.ResourceRequirements{*spec.Resources})
	}
	var all []corev1.ResourceRequirements
	for i := range spec.Containers {
		all = append(all, spec.Containers[i].Resources)
	}
	for i := range spec.InitContainers {
		all = append(all, spec.InitContainers[i].Resources)
	}
	return qosOf(all)
}

func qosOf(all []corev1.ResourceRequirements) corev1.PodQOSClass {
	guaranteed, any := true, false
	for _, r := range all {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			request, limit := r.Requests[name], r.Limits[name]
			any = any || !request.IsZero() || !limit.IsZero()
			guaranteed = guaranteed && !limit.IsZero() && (request.IsZero() || request.Cmp(limit) == 0)
		}
	}
	switch {
	case !any:
		return corev1.PodQOSBestEffort
	case guaranteed:
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

// podResources are the limits of the pod's cgroup: the sum of its containers', where every one has a limit.
func podResources(spec *corev1.PodSpec, pidsLimit int64) cgroups.Resources {
	cpuRequest := total(spec, corev1.ResourceCPU, false)
	out := cgroups.Resources{PidsLimit: pidsLimit, CPUShares: cgroups.MilliCPUToShares(0)}
	if cpuRequest != nil {
		out.CPUShares = cgroups.MilliCPUToShares(cpuRequest.MilliValue())
	}
	if cpuLimit := total(spec, corev1.ResourceCPU, true); cpuLimit != nil {
		out.CPUPeriodUS = 100000
		out.CPUQuotaUS = cgroups.MilliCPUToQuota(cpuLimit.MilliValue(), out.CPUPeriodUS)
	}
	if memory := total(spec, corev1.ResourceMemory, true); memory != nil {
		out.MemoryLimit = memory.Value()
	}
	return out
}

// total is the pod-level figure if there is one, or the sum of the containers'; for limits nil unless every
// container has one.
func total(spec *corev1.PodSpec, name corev1.ResourceName, limits bool) *resource.Quantity {
	pick := func(r corev1.ResourceRequirements) (resource.Quantity, bool) {
		if limits {
			q, ok := r.Limits[name]
			return q, ok
		}
		if q, ok := r.Requests[name]; ok {
			return q, ok
		}
		q, ok := r.Limits[name]
		return q, ok
	}
	if spec.Resources != nil {
		if q, ok := pick(*spec.Resources); ok {
			return &q
		}
	}
	sum, found := resource.Quantity{}, false
	for i := range spec.Containers {
		q, ok := pick(spec.Containers[i].Resources)
		if !ok && limits {
			return nil
		}
		sum.Add(q)
		found = found || ok
	}
	if !found {
		return nil
	}
	return &sum
}
