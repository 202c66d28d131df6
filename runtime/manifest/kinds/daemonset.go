package kinds

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func daemonSetRules() *Rules {
	return &Rules{
		APIVersion: "apps/v1", Kind: "DaemonSet", Namespaced: true,
		Blank:   func() Value { return &appsv1.DaemonSet{} },
		Prepare: func(v Value) { prepareDaemonSet(v.(*appsv1.DaemonSet)) },
		Validate: func(v Value) field.ErrorList {
			d := v.(*appsv1.DaemonSet)
			return append(annotation.ValidateRollback(d.Annotations, field.NewPath("metadata", "annotations")), validateDaemonSet(&d.Spec, field.NewPath("spec"))...)
		},
		Refused: func(v Value) field.ErrorList {
			return refusedTemplate(&v.(*appsv1.DaemonSet).Spec.Template, field.NewPath("spec", "template"))
		},
		Update: func(before, after Value) field.ErrorList {
			return unchanged(before.(*appsv1.DaemonSet).Spec.Selector, after.(*appsv1.DaemonSet).Spec.Selector, field.NewPath("spec", "selector"))
		},
	}
}

// prepareDaemonSet applies the defaults of kubernetes pkg/apis/apps/v1, SetDefaults_DaemonSet.
func prepareDaemonSet(d *appsv1.DaemonSet) {
	d.Status = appsv1.DaemonSetStatus{}
	s := &d.Spec
	defaults.SetTemplate(&s.Template.Spec)
	u := &s.UpdateStrategy
	u.Type = defaults.Or(u.Type, appsv1.RollingUpdateDaemonSetStrategyType)
	if u.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		defaults.Set(&u.RollingUpdate, appsv1.RollingUpdateDaemonSet{})
		defaults.Set(&u.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		defaults.Set(&u.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	}
	defaults.Set(&s.RevisionHistoryLimit, 10)
}

// validateDaemonSet follows kubernetes pkg/apis/apps/validation, ValidateDaemonSetSpec.
func validateDaemonSet(s *appsv1.DaemonSetSpec, path *field.Path) field.ErrorList {
	errs := validateOwnSelector(s.Selector, &s.Template, "empty selector is invalid for daemonset", path)
	errs = append(errs, validateTemplate(&s.Template, path.Child("template"))...)
	errs = append(errs, alwaysRestarts(&s.Template, "DaemonSet", path.Child("template"))...)
	errs = append(errs, validate.NonNegative(int64(s.MinReadySeconds), path.Child("minReadySeconds"))...)
	errs = append(errs, validateDaemonStrategy(&s.UpdateStrategy, path.Child("updateStrategy"))...)
	return append(errs, optional(s.RevisionHistoryLimit, path.Child("revisionHistoryLimit"))...)
}

func validateDaemonStrategy(u *appsv1.DaemonSetUpdateStrategy, path *field.Path) field.ErrorList {
	switch u.Type {
	case appsv1.OnDeleteDaemonSetStrategyType:
		return nil
	case appsv1.RollingUpdateDaemonSetStrategyType:
	default:
		return field.ErrorList{field.NotSupported(path, *u, []appsv1.DaemonSetUpdateStrategyType{appsv1.RollingUpdateDaemonSetStrategyType, appsv1.OnDeleteDaemonSetStrategyType})}
	}
	path = path.Child("rollingUpdate")
	unavailable, surge := *u.RollingUpdate.MaxUnavailable, *u.RollingUpdate.MaxSurge
	errs := validateAmount(unavailable, path.Child("maxUnavailable"))
	errs = append(errs, validateAmount(surge, path.Child("maxSurge"))...)
	errs = append(errs, atMostAll(unavailable, path.Child("maxUnavailable"))...)
	errs = append(errs, atMostAll(surge, path.Child("maxSurge"))...)
	switch {
	case !isNone(unavailable) && !isNone(surge):
		errs = append(errs, field.Invalid(path.Child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero"))
	case isNone(unavailable) && isNone(surge):
		errs = append(errs, field.Required(path.Child("maxUnavailable"), "cannot be 0 when maxSurge is 0"))
	}
	return errs
}
