// Package update compares two versions of a pod: what can change in place, and what restarts.
package update

import (
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/resources"
)

// Change says what a new version of a pod's manifest asks of the pod that runs.
type Change struct {
	// Replace lists the fields that a running pod cannot take: the pod ends, and another one starts.
	Replace []string
	// Fields lists those that are taken in place.
	Fields []string
	// Images lists the containers whose image is another; each restarts alone.
	Images []string
	// Resources lists the containers whose requests or limits are others.
	Resources []string
}

// Spec says whether the change is one of the spec and not only of labels and annotations.
func (c *Change) Spec() bool {
	return slices.ContainsFunc(c.Fields, func(f string) bool { return f != "metadata.labels" && f != "metadata.annotations" })
}

// Compare says what the step from one version of a pod to another asks for, by the rules by which the API server
// takes updates of running pods. It expects defaulted pods of one name.
// https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement
func Compare(before, after *corev1.Pod) Change {
	var c Change
	a, b := before.DeepCopy(), after.DeepCopy()
	b.UID, b.Status = a.UID, a.Status
	c.metadata(a, b)
	c.containers("spec.initContainers", a.Spec.InitContainers, b.Spec.InitContainers)
	c.containers("spec.containers", a.Spec.Containers, b.Spec.Containers)
	c.deadline(&a.Spec, &b.Spec)
	if was, is := a.Spec.Tolerations, b.Spec.Tolerations; !equality.Semantic.DeepEqual(was, is) && keepsTolerations(was, is) {
		c.Fields = append(c.Fields, "spec.tolerations")
		b.Spec.Tolerations = a.Spec.Tolerations
	}
	if resources.QOSClass(&before.Spec) != resources.QOSClass(&after.Spec) { // it is fixed for the pod's life
		c.Replace = append(c.Replace, "status.qosClass")
	}
	differences(&c.Replace, "metadata", reflect.ValueOf(a.ObjectMeta), reflect.ValueOf(b.ObjectMeta))
	differences(&c.Replace, "spec", reflect.ValueOf(a.Spec), reflect.ValueOf(b.Spec))
	return c
}

// keepsTolerations: none of before goes, though for how long one tolerates may change, and others may come. kubernetes
// pkg/apis/core/validation, validateOnlyAddedTolerations
func keepsTolerations(was, is []corev1.Toleration) bool {
	for _, old := range was {
		same := func(t corev1.Toleration) bool {
			t.TolerationSeconds = old.TolerationSeconds
			return equality.Semantic.DeepEqual(t, old)
		}
		if !slices.ContainsFunc(is, same) {
			return false
		}
	}
	return true
}

// metadata takes labels and annotations, and makes them equal for what is compared after.
func (c *Change) metadata(a, b *corev1.Pod) {
	if !equality.Semantic.DeepEqual(a.Labels, b.Labels) {
		c.Fields = append(c.Fields, "metadata.labels")
	}
	annotation.DropSource(&a.ObjectMeta)
	annotation.DropSource(&b.ObjectMeta)
	if !equality.Semantic.DeepEqual(a.Annotations, b.Annotations) {
		c.Fields = append(c.Fields, "metadata.annotations")
	}
	b.Labels, b.Annotations = a.Labels, a.Annotations
}

func (c *Change) containers(path string, a, b []corev1.Container) {
	if len(a) != len(b) {
		return
	}
	for i := range a {
		if a[i].Name != b[i].Name {
			continue
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if a[i].Image != b[i].Image {
			c.Fields = append(c.Fields, at+".image")
			c.Images = append(c.Images, a[i].Name)
			b[i].Image = a[i].Image
			// The default of the policy follows the image's tag.
			b[i].ImagePullPolicy = a[i].ImagePullPolicy
		}
		sidecar := a[i].RestartPolicy != nil && *a[i].RestartPolicy == corev1.ContainerRestartPolicyAlways
		if (path == "spec.containers" || sidecar) && !equality.Semantic.DeepEqual(a[i].Resources, b[i].Resources) && onlyResizable(a[i].Resources, b[i].Resources) {
			c.Fields = append(c.Fields, at+".resources")
			c.Resources = append(c.Resources, a[i].Name)
			b[i].Resources = a[i].Resources
		}
	}
}

// onlyResizable: only cpu and memory change, and no limit or request of theirs goes away. KEP-1287
func onlyResizable(a, b corev1.ResourceRequirements) bool {
	for _, pair := range [][2]corev1.ResourceList{{a.Limits, b.Limits}, {a.Requests, b.Requests}} {
		for name := range pair[0] {
			if _, ok := pair[1][name]; !ok {
				return false
			}
		}
		for name, q := range pair[1] {
			old, ok := pair[0][name]
			if name != corev1.ResourceCPU && name != corev1.ResourceMemory && (!ok || old.Cmp(q) != 0) {
				return false
			}
		}
	}
	return equality.Semantic.DeepEqual(a.Claims, b.Claims)
}

// deadline may be set or shortened.
func (c *Change) deadline(a, b *corev1.PodSpec) {
	was, is := a.ActiveDeadlineSeconds, b.ActiveDeadlineSeconds
	if is == nil || was != nil && *is >= *was {
		return
	}
	c.Fields = append(c.Fields, "spec.activeDeadlineSeconds")
	b.ActiveDeadlineSeconds = was
}

// differences lists the paths of the fields in which two structs differ, down to where a list or a value does.
func differences(out *[]string, path string, a, b reflect.Value) {
	if equality.Semantic.DeepEqual(a.Interface(), b.Interface()) {
		return
	}
	switch {
	case a.Kind() == reflect.Struct && !decode.DecodesItself(a.Type()):
		decode.FieldsOf(a.Type(), a, func(f decode.StructField, fa reflect.Value) {
			decode.FieldsOf(b.Type(), b, func(g decode.StructField, fb reflect.Value) {
				if f.Name == g.Name {
					differences(out, path+"."+f.Name, fa, fb)
				}
			})
		})
	case a.Kind() == reflect.Slice && a.Len() == b.Len() && a.Type().Elem().Kind() == reflect.Struct:
		for i := range a.Len() {
			differences(out, fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i))
		}
	case a.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil():
		differences(out, path, a.Elem(), b.Elem())
	default:
		*out = append(*out, path)
	}
}

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
