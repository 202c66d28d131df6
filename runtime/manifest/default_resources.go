package manifest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
		for name, q := range aggregate(spec, limitsOf) {
			if _, requested := r.Requests[name]; isHugePages(name) && !requested {
				setQuantity(&r.Limits, name, q)
			}
		}
	}
	limited := hasPodLevel(r.Limits)
	if len(r.Limits) > 0 {
		for name, q := range aggregate(spec, requestsOf) {
			if name == corev1.ResourceCPU || name == corev1.ResourceMemory {
				setQuantity(&r.Requests, name, q)
			}
		}
		for name, q := range r.Limits {
			if isPodLevel(name) {
				setQuantity(&r.Requests, name, q)
			}
		}
	}
	if limited || !hasPodLevel(r.Requests) {
		return
	}
	for name, q := range aggregate(spec, limitsOf) {
		if (name == corev1.ResourceCPU || name == corev1.ResourceMemory) && allLimited(spec, name) {
			setQuantity(&r.Limits, name, q)
		}
	}
}

func isHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// isPodLevel tells whether spec.resources may hold the resource.
func isPodLevel(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || isHugePages(name)
}

func hasPodLevel(list corev1.ResourceList) bool {
	for name := range list {
		if isPodLevel(name) {
			return true
		}
	}
	return false
}

func allLimited(spec *corev1.PodSpec, name corev1.ResourceName) bool {
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			if _, ok := containers[i].Resources.Limits[name]; !ok {
				return false
			}
		}
	}
	return true
}

func limitsOf(c *corev1.Container) corev1.ResourceList   { return c.Resources.Limits }
func requestsOf(c *corev1.Container) corev1.ResourceList { return c.Resources.Requests }

// Requests is what the containers of a pod request together.
func Requests(spec *corev1.PodSpec) corev1.ResourceList { return aggregate(spec, requestsOf) }

// Limits is what the containers of a pod are limited to together, of those resources that every one of them limits:
// one that does not may use what it likes.
func Limits(spec *corev1.PodSpec) corev1.ResourceList {
	total := aggregate(spec, limitsOf)
	for name := range total {
		if !allLimited(spec, name) {
			delete(total, name)
		}
	}
	return total
}

// aggregate is what the containers of a pod need at once: those that run together summed up, or an init
// container with the sidecars started before it if that is more (KEP-753).
func aggregate(spec *corev1.PodSpec, of func(*corev1.Container) corev1.ResourceList) corev1.ResourceList {
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
