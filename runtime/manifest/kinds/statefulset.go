package kinds

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func statefulSetRules() *Rules {
	return &Rules{
		APIVersion: "apps/v1", Kind: "StatefulSet", Namespaced: true,
		Blank:   func() Value { return &appsv1.StatefulSet{} },
		Name:    validation.IsDNS1123Label,
		Prepare: func(v Value) { prepareStatefulSet(v.(*appsv1.StatefulSet)) },
		Validate: func(v Value) field.ErrorList {
			s := v.(*appsv1.StatefulSet)
			return append(annotation.ValidateRollback(s.Annotations, field.NewPath("metadata", "annotations")), validateStatefulSet(&s.Spec, field.NewPath("spec"))...)
		},
		Refused: func(v Value) field.ErrorList {
			return refusedStatefulSet(&v.(*appsv1.StatefulSet).Spec)
		},
		Update: func(before, after Value) field.ErrorList {
			a, b, path := &before.(*appsv1.StatefulSet).Spec, &after.(*appsv1.StatefulSet).Spec, field.NewPath("spec")
			errs := unchanged(a.Selector, b.Selector, path.Child("selector"))
			errs = append(errs, unchanged(a.VolumeClaimTemplates, b.VolumeClaimTemplates, path.Child("volumeClaimTemplates"))...)
			errs = append(errs, unchanged(a.ServiceName, b.ServiceName, path.Child("serviceName"))...)
			return append(errs, unchanged(a.PodManagementPolicy, b.PodManagementPolicy, path.Child("podManagementPolicy"))...)
		},
	}
}

// prepareStatefulSet applies the defaults of kubernetes pkg/apis/apps/v1, SetDefaults_StatefulSet.
func prepareStatefulSet(set *appsv1.StatefulSet) {
	set.Status = appsv1.StatefulSetStatus{}
	s := &set.Spec
	defaults.SetTemplate(&s.Template.Spec)
	s.PodManagementPolicy = defaults.Or(s.PodManagementPolicy, appsv1.OrderedReadyPodManagement)
	u := &s.UpdateStrategy
	if u.Type == "" {
		u.Type = appsv1.RollingUpdateStatefulSetStrategyType
		defaults.Set(&u.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{})
	}
	if u.Type == appsv1.RollingUpdateStatefulSetStrategyType && u.RollingUpdate != nil {
		defaults.Set(&u.RollingUpdate.Partition, 0)
		defaults.Set(&u.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
	}
	defaults.Set(&s.PersistentVolumeClaimRetentionPolicy, appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{})
	r := s.PersistentVolumeClaimRetentionPolicy
	r.WhenDeleted = defaults.Or(r.WhenDeleted, appsv1.RetainPersistentVolumeClaimRetentionPolicyType)
	r.WhenScaled = defaults.Or(r.WhenScaled, appsv1.RetainPersistentVolumeClaimRetentionPolicyType)
	defaults.Set(&s.Replicas, 1)
	defaults.Set(&s.RevisionHistoryLimit, 10)
	for i := range s.VolumeClaimTemplates {
		c := &s.VolumeClaimTemplates[i]
		defaults.Set(&c.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
		c.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
		// As the API server keeps it: its kind is known by its place.
		c.Kind, c.APIVersion = "PersistentVolumeClaim", "v1"
	}
}

// validateStatefulSet follows kubernetes pkg/apis/apps/validation, ValidateStatefulSetSpec.
func validateStatefulSet(s *appsv1.StatefulSetSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p := s.PodManagementPolicy; p != appsv1.OrderedReadyPodManagement && p != appsv1.ParallelPodManagement {
		errs = append(errs, field.Invalid(path.Child("podManagementPolicy"), p,
			fmt.Sprintf("must be '%s' or '%s'", appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement)))
	}
	errs = append(errs, validateStatefulStrategy(&s.UpdateStrategy, path.Child("updateStrategy"))...)
	retention := path.Child("persistentVolumeClaimRetentionPolicy")
	for _, r := range []struct {
		policy appsv1.PersistentVolumeClaimRetentionPolicyType
		path   *field.Path
	}{
		{s.PersistentVolumeClaimRetentionPolicy.WhenDeleted, retention.Child("whenDeleted")},
		{s.PersistentVolumeClaimRetentionPolicy.WhenScaled, retention.Child("whenScaled")},
	} {
		errs = append(errs, validate.Supported(r.path, r.policy, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType)...)
	}
	for i := range s.VolumeClaimTemplates {
		errs = append(errs, validate.ClaimSpec(&s.VolumeClaimTemplates[i].Spec, path.Child("volumeClaimTemplates").Index(i).Child("spec"))...)
	}
	errs = append(errs, optional(s.Replicas, path.Child("replicas"))...)
	errs = append(errs, validate.NonNegative(int64(s.MinReadySeconds), path.Child("minReadySeconds"))...)
	if s.Ordinals != nil {
		errs = append(errs, validate.NonNegative(int64(s.Ordinals.Start), path.Child("ordinals.start"))...)
	}
	if s.ServiceName != "" {
		errs = append(errs, validate.DNSLabel(s.ServiceName, path.Child("serviceName"))...)
	}
	errs = append(errs, optional(s.RevisionHistoryLimit, path.Child("revisionHistoryLimit"))...)
	errs = append(errs, validateOwnSelector(s.Selector, &s.Template, "empty selector is invalid for statefulset", path)...)
	errs = append(errs, validateTemplate(withClaims(s), path.Child("template"))...)
	return append(errs, alwaysRestarts(&s.Template, "StatefulSet", path.Child("template"))...)
}

func validateStatefulStrategy(u *appsv1.StatefulSetUpdateStrategy, path *field.Path) field.ErrorList {
	switch u.Type {
	case appsv1.OnDeleteStatefulSetStrategyType:
		if u.RollingUpdate != nil {
			return field.ErrorList{field.Invalid(path.Child("rollingUpdate"), u.RollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")}
		}
		return nil
	case appsv1.RollingUpdateStatefulSetStrategyType:
	default:
		return field.ErrorList{field.Invalid(path, *u, "must be 'RollingUpdate' or 'OnDelete'")}
	}
	if u.RollingUpdate == nil {
		return nil
	}
	path = path.Child("rollingUpdate")
	errs := optional(u.RollingUpdate.Partition, path.Child("partition"))
	if v := u.RollingUpdate.MaxUnavailable; v != nil {
		at := path.Child("maxUnavailable")
		errs = append(errs, validateAmount(*v, at)...)
		if isNone(*v) {
			errs = append(errs, field.Invalid(at, *v, "cannot be 0"))
		}
		errs = append(errs, atMostAll(*v, at)...)
	}
	return errs
}

// withClaims is the template as its pods will have it, as far as validation minds: a volume of each claim, in the place of one of its
// name, and no host names, which the controller gives.
func withClaims(s *appsv1.StatefulSetSpec) *corev1.PodTemplateSpec {
	t := s.Template
	t.Spec.Hostname, t.Spec.Subdomain = "", ""
	isClaim := func(v corev1.Volume) bool {
		return slices.ContainsFunc(s.VolumeClaimTemplates, func(c corev1.PersistentVolumeClaim) bool { return c.Name == v.Name })
	}
	// At the end, so that the paths of the volumes are those of the file.
	t.Spec.Volumes = slices.DeleteFunc(slices.Clone(t.Spec.Volumes), isClaim)
	for i := range s.VolumeClaimTemplates {
		name := s.VolumeClaimTemplates[i].Name
		t.Spec.Volumes = append(t.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}})
	}
	return &t
}

func refusedStatefulSet(s *appsv1.StatefulSetSpec) field.ErrorList {
	path := field.NewPath("spec")
	errs := refusedTemplate(&s.Template, path.Child("template"))
	for i := range s.VolumeClaimTemplates {
		errs = append(errs, refusedClaimSpec(&s.VolumeClaimTemplates[i].Spec, path.Child("volumeClaimTemplates").Index(i).Child("spec"))...)
	}
	return errs
}
