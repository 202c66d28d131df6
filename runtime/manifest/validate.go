package manifest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validatePod says what the API server would (kubernetes pkg/apis/core/validation), in its words, of everything that
// one node can judge. It expects a defaulted pod.
func validatePod(pod *corev1.Pod) field.ErrorList {
	errs := validateMeta(&pod.ObjectMeta, field.NewPath("metadata"))
	return errs
}
