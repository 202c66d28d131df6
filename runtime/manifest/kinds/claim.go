package kinds

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func claimRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespaced: true,
		Blank: func() Value { return &corev1.PersistentVolumeClaim{} },
		Prepare: func(v Value) {
			c := v.(*corev1.PersistentVolumeClaim)
			c.Status = corev1.PersistentVolumeClaimStatus{}
			defaults.Set(&c.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
		},
		Validate: func(v Value) field.ErrorList {
			return validate.ClaimSpec(&v.(*corev1.PersistentVolumeClaim).Spec, field.NewPath("spec"))
		},
		Refused: func(v Value) field.ErrorList {
			return refusedClaimSpec(&v.(*corev1.PersistentVolumeClaim).Spec, field.NewPath("spec"))
		},
		Update: func(before, after Value) field.ErrorList {
			a, b := before.(*corev1.PersistentVolumeClaim).Spec.DeepCopy(), after.(*corev1.PersistentVolumeClaim).Spec.DeepCopy()
			a.Resources, b.Resources = corev1.VolumeResourceRequirements{}, corev1.VolumeResourceRequirements{}
			a.VolumeAttributesClassName, b.VolumeAttributesClassName = nil, nil
			if a.VolumeName == "" {
				b.VolumeName = ""
			}
			if !equality.Semantic.DeepEqual(a, b) {
				return field.ErrorList{field.Forbidden(field.NewPath("spec"), "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")}
			}
			return nil
		},
	}
}

const noDataSource = "podd does not copy volumes; fill it in an init container"

func refusedClaimSpec(s *corev1.PersistentVolumeClaimSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.VolumeMode != nil && *s.VolumeMode != corev1.PersistentVolumeFilesystem {
		errs = append(errs, field.Forbidden(path.Child("volumeMode"), "podd gives containers folders; remove the field or set it to Filesystem"))
	}
	if s.DataSource != nil {
		errs = append(errs, field.Forbidden(path.Child("dataSource"), noDataSource))
	}
	if s.DataSourceRef != nil {
		errs = append(errs, field.Forbidden(path.Child("dataSourceRef"), noDataSource))
	}
	return errs
}
