package kinds

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/validate"
)

func configMapRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "ConfigMap", Namespaced: true,
		Blank:    func() Value { return &corev1.ConfigMap{} },
		Validate: func(v Value) field.ErrorList { return validateConfigMap(v.(*corev1.ConfigMap)) },
		Update: func(before, after Value) field.ErrorList {
			a, b := before.(*corev1.ConfigMap), after.(*corev1.ConfigMap)
			errs := immutableChange(a.Immutable, b.Immutable)
			if IsTrue(a.Immutable) && !equality.Semantic.DeepEqual(a.Data, b.Data) {
				errs = append(errs, field.Forbidden(field.NewPath("data"), Frozen))
			}
			if IsTrue(a.Immutable) && !equality.Semantic.DeepEqual(a.BinaryData, b.BinaryData) {
				errs = append(errs, field.Forbidden(field.NewPath("binaryData"), Frozen))
			}
			return errs
		},
	}
}

// Frozen is the API server's sentence about a change of an immutable object.
const Frozen = "field is immutable when `immutable` is set"

// IsTrue reports whether a flag is set.
func IsTrue(b *bool) bool { return b != nil && *b }

// immutableChange: what is immutable stays so. KEP-1412
func immutableChange(before, after *bool) field.ErrorList {
	if IsTrue(before) && !IsTrue(after) {
		return field.ErrorList{field.Forbidden(field.NewPath("immutable"), Frozen)}
	}
	return nil
}

// validateConfigMap follows kubernetes pkg/apis/core/validation, ValidateConfigMap.
func validateConfigMap(c *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	size := 0
	for _, key := range slices.Sorted(maps.Keys(c.Data)) {
		errs = append(errs, validate.Invalid(field.NewPath("data").Key(key), key, validation.IsConfigMapKey(key))...)
		if _, both := c.BinaryData[key]; both {
			errs = append(errs, field.Invalid(field.NewPath("data").Key(key), key, fmt.Sprintf("duplicate of key present in %s", field.NewPath("binaryData"))))
		}
		size += len(c.Data[key])
	}
	for _, key := range slices.Sorted(maps.Keys(c.BinaryData)) {
		errs = append(errs, validate.Invalid(field.NewPath("binaryData").Key(key), key, validation.IsConfigMapKey(key))...)
		size += len(c.BinaryData[key])
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(field.NewPath(""), "", corev1.MaxSecretSize))
	}
	return errs
}
