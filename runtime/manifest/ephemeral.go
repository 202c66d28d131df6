package manifest

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

// WithEphemeral checks ephemeral containers that a pod is to have and fills in their defaults. whole: list is all of them,
// otherwise they come to those that it has, which neither change nor go. It returns all of them, and the pod with them as
// containers like its others, for what else judges containers. The errors are the API server's.
// https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/
func WithEphemeral(pod *corev1.Pod, have, list []corev1.EphemeralContainer, whole bool) ([]corev1.EphemeralContainer, *corev1.Pod, error) {
	all := slices.Clone(have)
	if whole {
		all = nil
	}
	for _, c := range list {
		if i := slices.IndexFunc(all, func(o corev1.EphemeralContainer) bool { return !whole && o.Name == c.Name }); i >= 0 {
			all[i] = c
			continue
		}
		all = append(all, c)
	}
	out := pod.DeepCopy()
	first := len(out.Spec.Containers)
	for i := range all {
		out.Spec.Containers = append(out.Spec.Containers, *(*corev1.Container)(all[i].EphemeralContainerCommon.DeepCopy()))
	}
	path := field.NewPath("spec", "ephemeralContainers")
	errs := ephemeralErrors(pod, have, all, path)
	defaults.SetPod(out)
	if len(errs) == 0 {
		for _, err := range validate.Pod(out) {
			for i := range all {
				of := fmt.Sprintf("spec.containers[%d]", first+i)
				if rest, ok := strings.CutPrefix(err.Field, of); ok {
					err.Field = path.Index(i).String() + rest
				}
			}
			errs = append(errs, err)
		}
	}
	for i := range all {
		all[i].EphemeralContainerCommon = corev1.EphemeralContainerCommon(out.Spec.Containers[first+i])
	}
	for i := range have {
		j := slices.IndexFunc(all, func(o corev1.EphemeralContainer) bool { return o.Name == have[i].Name })
		switch {
		case j < 0:
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", have[i].Name)))
		case !equality.Semantic.DeepEqual(all[j], have[i]):
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be changed\n", have[i].Name)))
		}
	}
	if len(errs) > 0 {
		return nil, nil, fmt.Errorf("Pod %q is invalid: %w", pod.Name, errs.ToAggregate())
	}
	return all, out, nil
}

// ephemeralErrors are about what no ephemeral container may have, and about the container that it targets.
func ephemeralErrors(pod *corev1.Pod, have, all []corev1.EphemeralContainer, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range all {
		c, at := &all[i], path.Index(i)
		if slices.ContainsFunc(have, func(o corev1.EphemeralContainer) bool { return o.Name == c.Name }) {
			continue
		}
		for name, set := range map[string]bool{
			"ports": c.Ports != nil, "livenessProbe": c.LivenessProbe != nil, "readinessProbe": c.ReadinessProbe != nil, "startupProbe": c.StartupProbe != nil,
			"lifecycle": c.Lifecycle != nil, "resources": len(c.Resources.Limits)+len(c.Resources.Requests)+len(c.Resources.Claims) > 0,
			"resizePolicy": c.ResizePolicy != nil, "restartPolicy": c.RestartPolicy != nil, "restartPolicyRules": c.RestartPolicyRules != nil,
		} {
			if set {
				errs = append(errs, field.Forbidden(at.Child(name), "cannot be set for an Ephemeral Container"))
			}
		}
		for j, m := range c.VolumeMounts {
			if m.SubPath != "" {
				errs = append(errs, field.Forbidden(at.Child("volumeMounts").Index(j).Child("subPath"), "cannot be set for an Ephemeral Container"))
			}
			if m.SubPathExpr != "" {
				errs = append(errs, field.Forbidden(at.Child("volumeMounts").Index(j).Child("subPathExpr"), "cannot be set for an Ephemeral Container"))
			}
		}
		if t := c.TargetContainerName; t != "" && !slices.ContainsFunc(slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers),
			func(o corev1.Container) bool { return o.Name == t }) {
			errs = append(errs, field.NotFound(at.Child("targetContainerName"), t))
		}
	}
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	return errs
}
