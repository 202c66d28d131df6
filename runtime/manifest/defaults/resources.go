package defaults

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/manifest/resources"
)

// roundUp takes quantities to the milli, the finest that the API keeps.
func roundUp(list corev1.ResourceList) {
	for name, q := range list {
		q.RoundUp(resource.Milli)
		list[name] = q
	}
}

// setRequests requests what is limited and not requested.
func setRequests(r *corev1.ResourceRequirements) {
	for name, limit := range r.Limits {
		setQuantity(&r.Requests, name, limit)
	}
}

// setQuantity sets an entry that is not there yet.
func setQuantity(list *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	if _, ok := (*list)[name]; ok {
		return
	}
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = q.DeepCopy()
}

// setPodResourceDefaults completes spec.resources from the containers (KEP-2837): requests if there are limits,
// limits if there are only requests and every container is limited, and limits of huge pages.
func setPodResourceDefaults(spec *corev1.PodSpec) {
	r := spec.Resources
	if len(r.Limits) > 0 || len(r.Requests) > 0 {
		for name, q := range resources.Aggregate(spec, resources.LimitsOf) {
			if _, requested := r.Requests[name]; resources.IsHugePages(name) && !requested {
				setQuantity(&r.Limits, name, q)
			}
		}
	}
	limited := resources.HasPodLevel(r.Limits)
	if len(r.Limits) > 0 {
		for name, q := range resources.Aggregate(spec, resources.RequestsOf) {
			if name == corev1.ResourceCPU || name == corev1.ResourceMemory {
				setQuantity(&r.Requests, name, q)
			}
		}
		for name, q := range r.Limits {
			if resources.IsPodLevel(name) {
				setQuantity(&r.Requests, name, q)
			}
		}
	}
	if limited || !resources.HasPodLevel(r.Requests) {
		return
	}
	for name, q := range resources.Aggregate(spec, resources.LimitsOf) {
		if (name == corev1.ResourceCPU || name == corev1.ResourceMemory) && resources.AllLimited(spec, name) {
			setQuantity(&r.Limits, name, q)
		}
	}
}
