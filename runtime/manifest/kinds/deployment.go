package kinds

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func deploymentRules() *Rules {
	return &Rules{
		APIVersion: "apps/v1", Kind: "Deployment", Namespaced: true,
		Blank:   func() Value { return &appsv1.Deployment{} },
		Prepare: func(v Value) { prepareDeployment(v.(*appsv1.Deployment)) },
		Validate: func(v Value) field.ErrorList {
			d := v.(*appsv1.Deployment)
			return append(annotation.ValidateRollback(d.Annotations, field.NewPath("metadata", "annotations")), validateDeployment(&d.Spec, field.NewPath("spec"))...)
		},
		Refused: func(v Value) field.ErrorList {
			return refusedTemplate(&v.(*appsv1.Deployment).Spec.Template, field.NewPath("spec", "template"))
		},
		Update: func(before, after Value) field.ErrorList {
			return unchanged(before.(*appsv1.Deployment).Spec.Selector, after.(*appsv1.Deployment).Spec.Selector, field.NewPath("spec", "selector"))
		},
	}
}

// prepareDeployment applies the defaults of kubernetes pkg/apis/apps/v1, SetDefaults_Deployment.
func prepareDeployment(d *appsv1.Deployment) {
	d.Status = appsv1.DeploymentStatus{}
	s := &d.Spec
	defaults.SetTemplate(&s.Template.Spec)
	defaults.Set(&s.Replicas, 1)
	s.Strategy.Type = defaults.Or(s.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if s.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		defaults.Set(&s.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		defaults.Set(&s.Strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
		defaults.Set(&s.Strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
	}
	defaults.Set(&s.RevisionHistoryLimit, 10)
	defaults.Set(&s.ProgressDeadlineSeconds, 600)
}

// validateDeployment follows kubernetes pkg/apis/apps/validation, ValidateDeploymentSpec.
func validateDeployment(s *appsv1.DeploymentSpec, path *field.Path) field.ErrorList {
	errs := optional(s.Replicas, path.Child("replicas"))
	errs = append(errs, validateOwnSelector(s.Selector, &s.Template, "empty selector is invalid for deployment", path)...)
	errs = append(errs, validateTemplate(&s.Template, path.Child("template"))...)
	errs = append(errs, alwaysRestarts(&s.Template, "ReplicaSet", path.Child("template"))...)
	errs = append(errs, validateStrategy(&s.Strategy, path.Child("strategy"))...)
	errs = append(errs, validate.NonNegative(int64(s.MinReadySeconds), path.Child("minReadySeconds"))...)
	errs = append(errs, optional(s.RevisionHistoryLimit, path.Child("revisionHistoryLimit"))...)
	at := path.Child("progressDeadlineSeconds")
	errs = append(errs, optional(s.ProgressDeadlineSeconds, at)...)
	if p := s.ProgressDeadlineSeconds; p != nil && *p <= s.MinReadySeconds {
		errs = append(errs, field.Invalid(at, *p, "must be greater than minReadySeconds"))
	}
	return errs
}

func validateStrategy(s *appsv1.DeploymentStrategy, path *field.Path) field.ErrorList {
	switch s.Type {
	case appsv1.RecreateDeploymentStrategyType:
		if s.RollingUpdate != nil {
			return field.ErrorList{field.Forbidden(path.Child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'")}
		}
		return nil
	case appsv1.RollingUpdateDeploymentStrategyType:
	default:
		return field.ErrorList{field.NotSupported(path, *s, []appsv1.DeploymentStrategyType{appsv1.RecreateDeploymentStrategyType, appsv1.RollingUpdateDeploymentStrategyType})}
	}
	path = path.Child("rollingUpdate")
	unavailable, surge := *s.RollingUpdate.MaxUnavailable, *s.RollingUpdate.MaxSurge
	errs := validateAmount(unavailable, path.Child("maxUnavailable"))
	errs = append(errs, validateAmount(surge, path.Child("maxSurge"))...)
	if isNone(unavailable) && isNone(surge) {
		errs = append(errs, field.Invalid(path.Child("maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0"))
	}
	return append(errs, atMostAll(unavailable, path.Child("maxUnavailable"))...)
}
