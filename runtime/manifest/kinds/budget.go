package kinds

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/validate"
)

func budgetRules() *Rules {
	return &Rules{
		APIVersion: "policy/v1", Kind: "PodDisruptionBudget", Namespaced: true,
		Blank:    func() Value { return &policyv1.PodDisruptionBudget{} },
		Prepare:  func(v Value) { v.(*policyv1.PodDisruptionBudget).Status = policyv1.PodDisruptionBudgetStatus{} },
		Validate: func(v Value) field.ErrorList { return validateBudget(&v.(*policyv1.PodDisruptionBudget).Spec) },
	}
}

// validateBudget follows kubernetes pkg/apis/policy/validation, ValidatePodDisruptionBudgetSpec.
func validateBudget(s *policyv1.PodDisruptionBudgetSpec) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if s.MinAvailable != nil && s.MaxUnavailable != nil {
		errs = append(errs, field.Invalid(path, *s, "minAvailable and maxUnavailable cannot be both set"))
	}
	if v := s.MinAvailable; v != nil {
		errs = append(errs, validateAmount(*v, path.Child("minAvailable"))...)
		errs = append(errs, atMostAll(*v, path.Child("minAvailable"))...)
	}
	if v := s.MaxUnavailable; v != nil {
		errs = append(errs, validateAmount(*v, path.Child("maxUnavailable"))...)
		errs = append(errs, atMostAll(*v, path.Child("maxUnavailable"))...)
	}
	errs = append(errs, validate.LabelSelector(s.Selector, path.Child("selector"))...)
	if p := s.UnhealthyPodEvictionPolicy; p != nil {
		errs = append(errs, validate.Supported(path.Child("unhealthyPodEvictionPolicy"), *p, policyv1.AlwaysAllow, policyv1.IfHealthyBudget)...)
	}
	return errs
}
