package manifest

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Restarts lists the containers that a change in place restarts: those with another image, and those whose resize
// policy asks for it.
func (c *Change) Restarts(before, after *corev1.Pod) []string {
	names := slices.Clone(c.Images)
	for _, name := range c.Resources {
		if !slices.Contains(names, name) && RestartsForResize(find(before, name), find(after, name)) {
			names = append(names, name)
		}
	}
	return names
}

func find(p *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return &corev1.Container{}
}

// RestartsForResize applies the resize policies of those resources that change; NotRequired is the default. KEP-1287
func RestartsForResize(was, is *corev1.Container) bool {
	changed := func(name corev1.ResourceName) bool {
		for _, pair := range [][2]corev1.ResourceList{{was.Resources.Limits, is.Resources.Limits}, {was.Resources.Requests, is.Resources.Requests}} {
			a, b := pair[0][name], pair[1][name]
			if a.Cmp(b) != 0 {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(is.ResizePolicy, func(p corev1.ContainerResizePolicy) bool {
		return p.RestartPolicy == corev1.RestartContainer && changed(p.ResourceName)
	})
}
