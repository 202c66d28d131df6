package kinds

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/validate"
)

func runtimeClassRules() *Rules {
	return &Rules{
		APIVersion: "node.k8s.io/v1", Kind: "RuntimeClass",
		Blank:    func() Value { return &nodev1.RuntimeClass{} },
		Validate: func(v Value) field.ErrorList { return validateRuntimeClass(v.(*nodev1.RuntimeClass)) },
		Update: func(before, after Value) field.ErrorList {
			was, is := before.(*nodev1.RuntimeClass), after.(*nodev1.RuntimeClass)
			return unchanged(was.Handler, is.Handler, field.NewPath("handler"))
		},
	}
}

// validateRuntimeClass follows kubernetes pkg/apis/node/validation, ValidateRuntimeClass.
func validateRuntimeClass(c *nodev1.RuntimeClass) field.ErrorList {
	at := field.NewPath("handler")
	errs := validate.Required(c.Handler, at)
	if c.Handler != "" {
		errs = append(errs, validate.Invalid(at, c.Handler, validation.IsDNS1123Label(c.Handler))...)
	}
	if c.Overhead != nil {
		errs = append(errs, validate.Overhead(c.Overhead.PodFixed, field.NewPath("overhead"))...)
	}
	if s := c.Scheduling; s != nil {
		path := field.NewPath("scheduling")
		errs = append(errs, validate.Labels(s.NodeSelector, path.Child("nodeSelector"))...)
		errs = append(errs, validate.Tolerations(s.Tolerations, path.Child("tolerations"))...)
		for i := range s.Tolerations {
			same := func(t corev1.Toleration) bool { return equality.Semantic.DeepEqual(t, s.Tolerations[i]) }
			if slices.ContainsFunc(s.Tolerations[:i], same) {
				errs = append(errs, field.Duplicate(path.Child("tolerations").Index(i), s.Tolerations[i]))
			}
		}
	}
	return errs
}
