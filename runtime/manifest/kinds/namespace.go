package kinds

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/pod-security-admission/api"

	"podd/runtime/manifest/validate"
)

func namespaceRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "Namespace",
		Blank:    func() Value { return &corev1.Namespace{} },
		Name:     validation.IsDNS1123Label,
		Prepare:  func(v Value) { prepareNamespace(v.(*corev1.Namespace)) },
		Validate: func(v Value) field.ErrorList { return validateNamespace(v.(*corev1.Namespace)) },
	}
}

// prepareNamespace makes it what the API server would show. Every namespace has its name for a label.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
func prepareNamespace(n *corev1.Namespace) {
	if !slices.Contains(n.Spec.Finalizers, corev1.FinalizerKubernetes) {
		n.Spec.Finalizers = append(n.Spec.Finalizers, corev1.FinalizerKubernetes)
	}
	n.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[corev1.LabelMetadataName] = n.Name
}

// validateNamespace follows kubernetes pkg/apis/core/validation, ValidateNamespace, and the admission of Pod Security.
func validateNamespace(n *corev1.Namespace) field.ErrorList {
	_, errs := api.PolicyToEvaluate(n.Labels, api.Policy{})
	s, path := n.Spec, field.NewPath("spec", "finalizers")
	for _, f := range s.Finalizers {
		name := string(f)
		errs = append(errs, validate.Invalid(path, name, validation.IsQualifiedName(name))...)
		if f != corev1.FinalizerKubernetes && name != metav1.FinalizerOrphanDependents && name != metav1.FinalizerDeleteDependents && !strings.Contains(name, "/") {
			errs = append(errs, field.Invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified"))
		}
	}
	return errs
}

func serviceAccountRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "ServiceAccount", Namespaced: true,
		Blank:    func() Value { return &corev1.ServiceAccount{} },
		Validate: func(Value) field.ErrorList { return nil },
	}
}
