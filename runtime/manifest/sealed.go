package manifest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// AnnotationSealed marks a Secret whose values are encrypted (podd seal). Its value names the form of the encryption.
const AnnotationSealed = "podd.dev/sealed"

// IsSealed says whether the values of a Secret are encrypted.
func IsSealed(s *corev1.Secret) bool { return s.Annotations[AnnotationSealed] != "" }

// ValidateSecretData says what the API server would of an opened Secret, or nil.
func ValidateSecretData(s *corev1.Secret) error {
	open := *s
	open.Annotations = nil
	if s.Type == corev1.SecretTypeServiceAccountToken {
		open.Annotations = map[string]string{corev1.ServiceAccountNameKey: s.Annotations[corev1.ServiceAccountNameKey]}
	}
	if errs := validateSecretType(&open, field.NewPath("data")); len(errs) > 0 {
		return fmt.Errorf("secret %q is invalid: %w", s.Name, errs.ToAggregate())
	}
	return nil
}
