package sandbox

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/cgroups"
	"podd/internal/hugepage"
	"podd/runtime/manifest/resources"
)

// PodResources are the limits of the pod's cgroup: the sum of its containers', where every one has a limit.
func PodResources(spec *corev1.PodSpec, pidsLimit int64) cgroups.Resources {
	cpuRequest := TotalResource(spec, corev1.ResourceCPU, false)
	out := cgroups.Resources{PidsLimit: pidsLimit, CPUShares: cgroups.MilliCPUToShares(0)}
	if cpuRequest != nil {
		out.CPUShares = cgroups.MilliCPUToShares(cpuRequest.MilliValue())
	}
	if cpuLimit := TotalResource(spec, corev1.ResourceCPU, true); cpuLimit != nil {
		out.CPUPeriodUS = 100000
		out.CPUQuotaUS = cgroups.MilliCPUToQuota(cpuLimit.MilliValue(), out.CPUPeriodUS)
	}
	out.Hugepages = HugePageLimits(spec, nil)
	if memory := TotalResource(spec, corev1.ResourceMemory, true); memory != nil {
		out.MemoryLimit = memory.Value()
	}
	return out
}

// HugePageLimits are what a pod, or one of its containers, may use of each size of huge pages that the machine has: nothing
// that it has not asked for, as with a kubelet. A container without a limit of its own has its pod's.
func HugePageLimits(spec *corev1.PodSpec, c *corev1.Container) map[string]uint64 {
	sizes := hugepage.Machine.Sizes()
	if len(sizes) == 0 {
		return nil
	}
	total, _ := resources.Totals(spec)
	asked := resources.HugePages(total)
	if c != nil {
		asked = map[int64]int64{}
		if spec.Resources != nil {
			maps.Copy(asked, resources.HugePages(spec.Resources.Limits))
		}
		maps.Copy(asked, resources.HugePages(c.Resources.Limits))
	}
	limits := make(map[string]uint64, len(sizes))
	for _, size := range sizes {
		limits[hugepage.Name(size)] = uint64(asked[size])
	}
	return limits
}

// TotalResource is the pod-level figure if there is one, or the sum of the containers'; for limits nil unless every
// container has one. The pod's overhead comes to either, as with a kubelet.
func TotalResource(spec *corev1.PodSpec, name corev1.ResourceName, limits bool) *resource.Quantity {
	q := ownResource(spec, name, limits)
	over, ok := spec.Overhead[name]
	if !ok || q == nil && (limits || resources.QOSClass(spec) == corev1.PodQOSBestEffort) {
		return q
	}
	if q != nil {
		over = over.DeepCopy()
		over.Add(*q)
	}
	return &over
}

// ownResource is TotalResource without the overhead.
func ownResource(spec *corev1.PodSpec, name corev1.ResourceName, limits bool) *resource.Quantity {
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
	if q, ok := resources.Requests(spec)[name]; ok && !limits {
		return &q
	}
	if q, ok := resources.Limits(spec)[name]; ok {
		return &q
	}
	return nil
}
