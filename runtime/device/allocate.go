package device

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Allocations are the ids of the units that containers have, by container and resource.
type Allocations map[string]map[string][]string

// IsExtended says of a resource that it is counted in whole units that somebody else than Kubernetes offers.
func IsExtended(name corev1.ResourceName) bool {
	domain, _, ok := strings.Cut(string(name), "/")
	return ok && !strings.Contains(domain, "kubernetes.io")
}

// Asks says whether a pod asks for any.
func Asks(spec *corev1.PodSpec) bool {
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			for name, q := range list[i].Resources.Limits {
				if IsExtended(name) && q.Sign() > 0 {
					return true
				}
			}
		}
	}
	return false
}

// Allocate gives the containers of a pod units that nobody has; used has the keys of those that others have. What an init
// container had, later containers have again, as with a kubelet. short are the resources of which there is not enough.
func Allocate(spec *corev1.PodSpec, inv Inventory, used map[string]bool) (out Allocations, short []string) {
	out = Allocations{}
	taken, again := maps.Clone(used), map[string][]string{} // by resource: what init containers that have ended leave
	if taken == nil {
		taken = map[string]bool{}
	}
	give := func(c *corev1.Container, keeps bool) {
		for _, resource := range slices.Sorted(maps.Keys(c.Resources.Limits)) {
			q := c.Resources.Limits[resource]
			if !IsExtended(resource) || q.Sign() <= 0 {
				continue
			}
			name := string(resource)
			ids, ok := pick(inv[name], q.Value(), func(id string) bool { return taken[Key(name, id)] }, again[name])
			if !ok {
				if !slices.Contains(short, name) {
					short = append(short, name)
				}
				continue
			}
			for _, id := range ids {
				taken[Key(name, id)] = true
				again[name] = slices.DeleteFunc(again[name], func(have string) bool { return have == id })
			}
			if !keeps {
				again[name] = append(again[name], ids...)
			}
			if out[c.Name] == nil {
				out[c.Name] = map[string][]string{}
			}
			out[c.Name][name] = ids
		}
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		give(c, c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways)
	}
	for i := range spec.Containers {
		give(&spec.Containers[i], true)
	}
	slices.Sort(short)
	return out, short
}

// pick takes units, first those to be used again.
func pick(units []Unit, count int64, taken func(id string) bool, again []string) ([]string, bool) {
	var ids []string
	for _, id := range again {
		if int64(len(ids)) < count && slices.ContainsFunc(units, func(u Unit) bool { return u.ID == id }) {
			ids = append(ids, id)
		}
	}
	for i := range units {
		if int64(len(ids)) < count && !taken(units[i].ID) {
			ids = append(ids, units[i].ID)
		}
	}
	return ids, int64(len(ids)) == count
}

// AddUsed adds the keys of what a pod has.
func (a Allocations) AddUsed(used map[string]bool) {
	for _, resources := range a {
		for resource, ids := range resources {
			for _, id := range ids {
				used[Key(resource, id)] = true
			}
		}
	}
}

// Given is a unit that a container has.
type Given struct {
	Unit
	Key  string
	Here bool // it is plugged in
}

// Of lists what a container has, with places that are its own.
func (a Allocations) Of(container string, inv Inventory) []Given {
	var out []Given
	for _, resource := range slices.Sorted(maps.Keys(a[container])) {
		numbers := map[string]int{}
		for _, id := range a[container][resource] {
			u, ok := inv.Find(resource, id)
			u.ID = cmp.Or(u.ID, id)
			if u.Numbered {
				n := numbers[u.Place]
				numbers[u.Place]++
				if n > 0 {
					u.Place += strconv.Itoa(n)
				}
			}
			out = append(out, Given{Unit: u, Key: Key(resource, id), Here: ok})
		}
	}
	return out
}

// Insufficient is the scheduler's sentence about resources, and podd's about those of which the board has not a single device:
// the name may be wrong.
func Insufficient(short []string, inv Inventory) string {
	parts := make([]string, len(short))
	var none []string
	for i, name := range short {
		parts[i] = "1 Insufficient " + name
		if len(inv[name]) == 0 {
			none = append(none, name)
		}
	}
	text := "0/1 nodes are available: " + strings.Join(parts, ", ") + "."
	if len(none) > 0 {
		text += " No device here is offered as " + strings.Join(none, " or ") + ": podd describe node lists those that are."
	}
	return text
}
