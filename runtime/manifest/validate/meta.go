package validate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
)

// maxAnnotations is how many bytes the annotations of an object may have in all, as in apimachinery.
const maxAnnotations = 256 << 10

func validateMeta(m *metav1.ObjectMeta, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.GenerateName != "" {
		// What will be appended makes a trailing dash fine.
		errs = append(errs, Invalid(path.Child("generateName"), m.GenerateName, validation.IsDNS1123Subdomain(maskDash(m.GenerateName)))...)
	}
	if m.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), "give the pod a name"))
	} else {
		errs = append(errs, Invalid(path.Child("name"), m.Name, podName(m.Name, m.Namespace))...)
	}
	errs = append(errs, Invalid(path.Child("namespace"), m.Namespace, validation.IsDNS1123Label(m.Namespace))...)
	errs = append(errs, Labels(m.Labels, path.Child("labels"))...)
	errs = append(errs, Annotations(m.Annotations, path.Child("annotations"))...)
	errs = append(errs, annotation.ValidateBandwidth(m.Annotations, path.Child("annotations"))...)
	errs = append(errs, annotation.ValidateRollback(m.Annotations, path.Child("annotations"))...)
	errs = append(errs, annotation.ValidateLogDriver(m.Annotations, path.Child("annotations"))...)
	errs = append(errs, annotation.ValidateNode(m.Annotations, path.Child("annotations"))...)
	errs = append(errs, validateOwners(m.OwnerReferences, path.Child("ownerReferences"))...)
	errs = append(errs, validateFinalizers(m.Finalizers, path.Child("finalizers"))...)
	return append(errs, ValidateManagedFields(m.ManagedFields, path.Child("managedFields"))...)
}

// ValidateManagedFields follows apimachinery pkg/apis/meta/v1/validation, ValidateManagedFields, as far as who writes one by
// hand could err.
func ValidateManagedFields(list []metav1.ManagedFieldsEntry, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range list {
		m, at := &list[i], path.Index(i)
		if m.Operation == "" {
			errs = append(errs, field.Required(at.Child("operation"), "must not be empty"))
		} else {
			errs = append(errs, Supported(at.Child("operation"), m.Operation, metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate)...)
		}
		if m.FieldsType != "" && m.FieldsType != "FieldsV1" {
			errs = append(errs, field.Invalid(at.Child("fieldsType"), m.FieldsType, "must be `FieldsV1`"))
		}
	}
	return errs
}

// validatePodAnnotations checks the annotations that mean something to a pod's API server.
func validatePodAnnotations(pod *corev1.Pod, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if value, ok := pod.Annotations[corev1.MirrorPodAnnotationKey]; ok && pod.Spec.NodeName == "" {
		errs = append(errs, field.Invalid(path.Key(corev1.MirrorPodAnnotationKey), value, "must set spec.nodeName if mirror pod annotation is set"))
	}
	if value, ok := pod.Annotations[corev1.PodDeletionCost]; ok && !isCost(value) {
		errs = append(errs, field.Invalid(path.Key(corev1.PodDeletionCost), value, "must be a 32bit integer"))
	}
	return errs
}

// isCost reads a cost of deletion: a number without a plus and without leading zeros. kubernetes pkg/apis/core/helper
func isCost(value string) bool {
	if strings.HasPrefix(value, "+") || strings.HasPrefix(value, "0") && value != "0" {
		return false
	}
	_, err := strconv.ParseInt(value, 10, 32)
	return err == nil
}

// podName is the API server's rule for the name of a pod, and that of the folder of its logs, <namespace>_<name>_<uid>:
// a file name has at most 255 bytes (man 7 path_resolution), a UID 36.
func podName(name, namespace string) []string {
	if messages := validation.IsDNS1123Subdomain(name); len(messages) > 0 {
		return messages
	}
	if most := 255 - 36 - len("__") - len(namespace); len(name) > most {
		return []string{fmt.Sprintf("must be no more than %d bytes in namespace %q: the folder of the pod's logs is named after both", most, namespace)}
	}
	return nil
}

func maskDash(name string) string {
	if strings.HasSuffix(name, "-") && len(name) > 1 {
		return name[:len(name)-2] + "a"
	}
	return name
}

// Labels judges labels.
func Labels(labels map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		errs = append(errs, LabelName(k, path)...)
		errs = append(errs, Invalid(path, labels[k], validation.IsValidLabelValue(labels[k]))...)
	}
	return errs
}

// LabelName judges the key of a label.
func LabelName(name string, path *field.Path) field.ErrorList {
	return Invalid(path, name, validation.IsQualifiedName(name))
}

// Annotations judges annotations.
func Annotations(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	total := 0
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		// The rule of keys is that of labels, but case does not matter.
		errs = append(errs, Invalid(path, k, validation.IsQualifiedName(strings.ToLower(k)))...)
		total += len(k) + len(annotations[k])
	}
	if total > maxAnnotations {
		errs = append(errs, field.TooLong(path, "", maxAnnotations))
	}
	return errs
}

func validateOwners(owners []metav1.OwnerReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	controller := ""
	for i, o := range owners {
		at := path.Index(i)
		for _, f := range []struct{ name, value string }{
			{"apiVersion", o.APIVersion}, {"kind", o.Kind}, {"name", o.Name}, {"uid", string(o.UID)},
		} {
			if f.value == "" {
				errs = append(errs, field.Required(at.Child(f.name), "must not be empty"))
			}
		}
		if strings.Count(o.APIVersion, "/") > 1 || strings.HasSuffix(o.APIVersion, "/") {
			errs = append(errs, field.Invalid(at.Child("apiVersion"), o.APIVersion, "must be <group>/<version> or <version>"))
		}
		if o.APIVersion == "v1" && o.Kind == "Event" {
			errs = append(errs, field.Invalid(at, o, "/v1, Kind=Event is disallowed from being an owner"))
		}
		if o.Controller == nil || !*o.Controller {
			continue
		}
		if name := o.Kind + "/" + o.Name; controller == "" {
			controller = name
		} else {
			errs = append(errs, field.Invalid(path, owners, fmt.Sprintf(
				"Only one reference can have Controller set to true. Found \"true\" in references for %v and %v", controller, name)))
		}
	}
	return errs
}

func validateFinalizers(finalizers []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if slices.Contains(finalizers, metav1.FinalizerOrphanDependents) && slices.Contains(finalizers, metav1.FinalizerDeleteDependents) {
		errs = append(errs, field.Invalid(path, finalizers, fmt.Sprintf("finalizer %s and %s cannot be both set",
			metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents)))
	}
	for i, name := range finalizers {
		errs = append(errs, Invalid(path, name, validation.IsQualifiedName(name))...)
		switch name {
		case "kubernetes", metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents:
			continue
		}
		if !strings.Contains(name, "/") {
			errs = append(errs, field.Invalid(path.Index(i), name, "name is neither a standard finalizer name nor is it fully qualified"))
		}
	}
	return errs
}
