// Package resources sums up what the containers of a pod ask for: requests, limits, the class of service.
package resources

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// IsHugePages reports whether a resource is huge pages of some size.
func IsHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// HugePages are the huge pages of a list, in bytes by the size of the page.
func HugePages(list corev1.ResourceList) map[int64]int64 {
	var pages map[int64]int64
	for name, q := range list {
		text, ok := strings.CutPrefix(string(name), corev1.ResourceHugePagesPrefix)
		if !ok {
			continue
		}
		if size, err := resource.ParseQuantity(text); err == nil && size.Sign() > 0 {
			if pages == nil {
				pages = map[int64]int64{}
			}
			pages[size.Value()] += q.Value()
		}
	}
	return pages
}

// IsPodLevel tells whether spec.resources may hold the resource.
func IsPodLevel(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || IsHugePages(name)
}

// HasPodLevel reports whether a list has a resource that may be set for a whole pod.
func HasPodLevel(list corev1.ResourceList) bool {
	for name := range list {
		if IsPodLevel(name) {
			return true
		}
	}
	return false
}

// AllLimited reports whether every container has a limit of a resource.
func AllLimited(spec *corev1.PodSpec, name corev1.ResourceName) bool {
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			if _, ok := containers[i].Resources.Limits[name]; !ok {
				return false
			}
		}
	}
	return true
}

// LimitsOf are the limits of a container.
func LimitsOf(c *corev1.Container) corev1.ResourceList { return c.Resources.Limits }

// RequestsOf are the requests of a container.
func RequestsOf(c *corev1.Container) corev1.ResourceList { return c.Resources.Requests }

// Requests is what the containers of a pod request together.
func Requests(spec *corev1.PodSpec) corev1.ResourceList { return Aggregate(spec, RequestsOf) }

// Limits is what the containers of a pod are limited to together, of those resources that every one of them limits:
// one that does not may use what it likes.
func Limits(spec *corev1.PodSpec) corev1.ResourceList {
	total := Aggregate(spec, LimitsOf)
	for name := range total {
		if !AllLimited(spec, name) {
			delete(total, name)
		}
	}
	return total
}

// Totals are what a pod requests and is limited to, as a scheduler and kubectl count it: its own figures come before those of
// its containers, and its overhead comes to both, but to no limit that there is not. kubernetes component-helpers resource,
// PodRequests and PodLimits
func Totals(spec *corev1.PodSpec) (requests, limits corev1.ResourceList) {
	requests, limits = Requests(spec), Aggregate(spec, LimitsOf)
	if own := spec.Resources; own != nil {
		for _, l := range []struct{ total, own corev1.ResourceList }{{requests, own.Requests}, {limits, own.Limits}} {
			for name, q := range l.own {
				if IsPodLevel(name) {
					l.total[name] = q.DeepCopy() // what comes to it must not come to the pod's own
				}
			}
		}
	}
	addTo(requests, spec.Overhead)
	for name, q := range spec.Overhead {
		if sum := limits[name]; !sum.IsZero() {
			sum.Add(q)
			limits[name] = sum
		}
	}
	return requests, limits
}

// Aggregate is what the containers of a pod need at once: those that run together summed up, or an init
// container with the sidecars started before it if that is more (KEP-753).
func Aggregate(spec *corev1.PodSpec, of func(*corev1.Container) corev1.ResourceList) corev1.ResourceList {
	total, sidecars, peak := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	for i := range spec.Containers {
		addTo(total, of(&spec.Containers[i]))
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			addTo(total, of(c))
			addTo(sidecars, of(c))
			raiseTo(peak, sidecars)
			continue
		}
		alone := of(c).DeepCopy()
		if alone == nil {
			alone = corev1.ResourceList{}
		}
		addTo(alone, sidecars)
		raiseTo(peak, alone)
	}
	raiseTo(total, peak)
	return total
}

func addTo(list, more corev1.ResourceList) {
	for name, q := range more {
		sum := list[name]
		sum.Add(q)
		list[name] = sum
	}
}

func raiseTo(list, least corev1.ResourceList) {
	for name, q := range least {
		if have, ok := list[name]; !ok || q.Cmp(have) > 0 {
			list[name] = q.DeepCopy()
		}
	}
}

// SortedNames are the names of a list, in order.
func SortedNames(list corev1.ResourceList) []corev1.ResourceName {
	return slices.Sorted(maps.Keys(list))
}

// QOSClass is the pod's quality of service.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
func QOSClass(spec *corev1.PodSpec) corev1.PodQOSClass {
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
			request, requested := r.Requests[name]
			limit := r.Limits[name]
			any = any || !request.IsZero() || !limit.IsZero()
			guaranteed = guaranteed && !limit.IsZero() && (!requested || request.Cmp(limit) == 0)
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
