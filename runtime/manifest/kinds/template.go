package kinds

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/fields"
	"podd/runtime/manifest/sysctl"
	"podd/runtime/manifest/validate"
)

// validateTemplate follows kubernetes pkg/apis/core/validation, ValidatePodTemplateSpec, with its paths.
func validateTemplate(t *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	spec := path.Child("spec")
	errs := validate.Labels(t.Labels, path.Child("labels"))
	errs = append(errs, validate.Annotations(t.Annotations, path.Child("annotations"))...)
	errs = append(errs, annotation.ValidateArmor(t.Annotations, &t.Spec, path.Child("annotations"), spec)...)
	errs = append(errs, annotation.ValidateBandwidth(t.Annotations, path.Child("annotations"))...)
	errs = append(errs, annotation.ValidateLogDriver(t.Annotations, path.Child("annotations"))...)
	errs = append(errs, validate.PodSpec(&t.Spec, spec)...)
	errs = append(errs, validate.Images(&t.Spec, spec)...)
	if len(t.Spec.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(spec.Child("ephemeralContainers"), "ephemeral containers not allowed in pod template"))
	}
	return errs
}

// refusedTemplate lists what pods of the template could not have. The table of the fields of pods is that of templates,
// but for the metadata, of which pods take labels and annotations.
func refusedTemplate(t *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	errs := fields.CheckSpec(&t.Spec, path.Child("spec"))
	annotations := path.Child("metadata", "annotations")
	errs = append(errs, annotation.Refused(t.Annotations, annotations)...)
	for _, name := range []string{annotation.RollbackKey, annotation.NodeKey} {
		if _, ok := t.Annotations[name]; ok {
			errs = append(errs, field.Forbidden(annotations.Key(name), "podd reads it on the object, not on its pods: move it to metadata.annotations"))
		}
	}
	return append(errs, sysctl.Refused(t.Spec.SecurityContext, path.Child("spec", "securityContext"))...)
}

// refusedRollback refuses the annotation by which workloads ask to be put back where there is nothing to go back to.
func refusedRollback(v Value) field.ErrorList {
	if v.GetAnnotations()[annotation.RollbackKey] != "true" {
		return nil
	}
	return field.ErrorList{field.Forbidden(field.NewPath("metadata", "annotations").Key(annotation.RollbackKey),
		"podd puts back Pods, Deployments, StatefulSets and DaemonSets; the others have no versions: remove it")}
}

// alwaysRestarts demands of a template what all kinds but Job do.
func alwaysRestarts(t *corev1.PodTemplateSpec, kind string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p := t.Spec.RestartPolicy; p != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(path.Child("spec", "restartPolicy"), p, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if t.Spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(path.Child("spec", "activeDeadlineSeconds"), "activeDeadlineSeconds in "+kind+" is not Supported"))
	}
	return errs
}

// unmatched is the API server's sentence about a template whose pods the selector would not find.
const unmatched = "`selector` does not match template `labels`"

// validateOwnSelector checks the selector by which a workload knows its pods. empty is said of one that selects all.
func validateOwnSelector(s *metav1.LabelSelector, t *corev1.PodTemplateSpec, empty string, path *field.Path) field.ErrorList {
	if s == nil {
		return append(field.ErrorList{field.Required(path.Child("selector"), "")}, validateMatch(s, t, path)...)
	}
	errs := validate.LabelSelector(s, path.Child("selector"))
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(path.Child("selector"), s, empty))
	}
	return append(errs, validateMatch(s, t, path)...)
}

func validateMatch(s *metav1.LabelSelector, t *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	selector, err := metav1.LabelSelectorAsSelector(s)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(path.Child("selector"), s, "invalid label selector")}
	case !selector.Empty() && !selector.Matches(labels.Set(t.Labels)):
		return field.ErrorList{field.Invalid(path.Child("template", "metadata", "labels"), t.Labels, unmatched)}
	}
	return nil
}

// unchanged is the API server's answer to a change of a field that is immutable.
func unchanged(before, after any, path *field.Path) field.ErrorList {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, after, "field is immutable")}
}

// validateAmount checks what is a number or a share. kubernetes pkg/apis/apps/validation, ValidatePositiveIntOrPercent
func validateAmount(v intstr.IntOrString, path *field.Path) field.ErrorList {
	if v.Type == intstr.String {
		return validate.Invalid(path, v, validation.IsValidPercent(v.StrVal))
	}
	return validate.NonNegative(int64(v.IntVal), path)
}

// atMostAll refuses shares of more than all.
func atMostAll(v intstr.IntOrString, path *field.Path) field.ErrorList {
	if n, ok := percent(v); ok && n > 100 {
		return field.ErrorList{field.Invalid(path, v, "must not be greater than 100%")}
	}
	return nil
}

// percent is the number before the sign, false if there is none.
func percent(v intstr.IntOrString) (int, bool) {
	if v.Type != intstr.String || len(validation.IsValidPercent(v.StrVal)) > 0 {
		return 0, false
	}
	n, err := strconv.Atoi(v.StrVal[:len(v.StrVal)-1])
	return n, err == nil
}

// isNone tells whether an amount is 0 or 0%.
func isNone(v intstr.IntOrString) bool {
	if n, ok := percent(v); ok {
		return n == 0
	}
	return v.IntValue() == 0
}

// optional checks a number that need not be set.
func optional[T int32 | int64](v *T, path *field.Path) field.ErrorList {
	if v == nil {
		return nil
	}
	return validate.NonNegative(int64(*v), path)
}

// PodOf makes a pod of a template, as the API server does of what a controller asks it for: complete with the defaults that
// templates are left without. The caller gives it a name and an owner.
func PodOf(t *corev1.PodTemplateSpec, namespace string) *corev1.Pod {
	pod := &corev1.Pod{Spec: *t.Spec.DeepCopy()}
	pod.Namespace, pod.Labels, pod.Annotations = namespace, copied(t.Labels), copied(t.Annotations)
	return pod
}

func copied(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
