package kinds

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func secretRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "Secret", Namespaced: true,
		Blank:    func() Value { return &corev1.Secret{} },
		Prepare:  func(v Value) { prepareSecret(v.(*corev1.Secret)) },
		Validate: func(v Value) field.ErrorList { return validateSecret(v.(*corev1.Secret)) },
		Update: func(before, after Value) field.ErrorList {
			a, b := before.(*corev1.Secret), after.(*corev1.Secret)
			errs := immutableChange(a.Immutable, b.Immutable)
			if a.Type != b.Type {
				errs = append(errs, field.Invalid(field.NewPath("type"), b.Type, "field is immutable"))
			}
			sealed := a.Annotations[annotation.SealedKey] != b.Annotations[annotation.SealedKey]
			if IsTrue(a.Immutable) && (sealed || !equality.Semantic.DeepEqual(a.Data, b.Data)) {
				errs = append(errs, field.Forbidden(field.NewPath("data"), Frozen))
			}
			return errs
		},
	}
}

// prepareSecret gives a Secret its type and merges stringData, which wins, into data.
func prepareSecret(s *corev1.Secret) {
	s.Type = defaults.Or(s.Type, corev1.SecretTypeOpaque)
	if len(s.StringData) > 0 && s.Data == nil {
		s.Data = map[string][]byte{}
	}
	for k, v := range s.StringData {
		s.Data[k] = []byte(v)
	}
	s.StringData = nil
}

// validateSecret follows kubernetes pkg/apis/core/validation, ValidateSecret. Of a sealed one only the names of the keys
// are known; ValidateSecretData judges the rest once it is open.
func validateSecret(s *corev1.Secret) field.ErrorList {
	data := field.NewPath("data")
	var errs field.ErrorList
	size := 0
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		size += len(s.Data[key])
		errs = append(errs, validate.Invalid(data.Key(key), key, validation.IsConfigMapKey(key))...)
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(data, "", corev1.MaxSecretSize))
	}
	if annotation.IsSealed(s) {
		return errs
	}
	return append(errs, validateSecretType(s, data)...)
}

// validateSecretType checks the keys that a type requires.
func validateSecretType(s *corev1.Secret, data *field.Path) field.ErrorList {
	require := func(keys ...string) (errs field.ErrorList) {
		for _, key := range keys {
			if _, ok := s.Data[key]; !ok {
				errs = append(errs, field.Required(data.Key(key), ""))
			}
		}
		return errs
	}
	switch s.Type {
	case corev1.SecretTypeServiceAccountToken:
		if s.Annotations[corev1.ServiceAccountNameKey] == "" {
			return field.ErrorList{field.Required(field.NewPath("metadata", "annotations").Key(corev1.ServiceAccountNameKey), "")}
		}
	case corev1.SecretTypeDockercfg:
		return requireJSON(s, data, corev1.DockerConfigKey)
	case corev1.SecretTypeDockerConfigJson:
		return requireJSON(s, data, corev1.DockerConfigJsonKey)
	case corev1.SecretTypeBasicAuth:
		_, user := s.Data[corev1.BasicAuthUsernameKey]
		if _, password := s.Data[corev1.BasicAuthPasswordKey]; !user && !password {
			return field.ErrorList{
				field.Required(data.Key(corev1.BasicAuthUsernameKey), ""), field.Required(data.Key(corev1.BasicAuthPasswordKey), ""),
			}
		}
	case corev1.SecretTypeSSHAuth:
		if len(s.Data[corev1.SSHAuthPrivateKey]) == 0 {
			return field.ErrorList{field.Required(data.Key(corev1.SSHAuthPrivateKey), "")}
		}
	case corev1.SecretTypeTLS:
		return require(corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	return nil
}

func requireJSON(s *corev1.Secret, data *field.Path, key string) field.ErrorList {
	text, ok := s.Data[key]
	if !ok {
		return field.ErrorList{field.Required(data.Key(key), "")}
	}
	if !json.Valid(text) {
		return field.ErrorList{field.Invalid(data.Key(key), "<secret contents redacted>", "it is not JSON")}
	}
	return nil
}

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
