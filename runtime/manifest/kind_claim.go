package manifest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func claimRules() *rules {
	return &rules{
		apiVersion: "v1", kind: "PersistentVolumeClaim", namespaced: true,
		blank: func() Value { return &corev1.PersistentVolumeClaim{} },
		prepare: func(v Value) {
			c := v.(*corev1.PersistentVolumeClaim)
			c.Status = corev1.PersistentVolumeClaimStatus{}
			defaultTo(&c.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
		},
		validate: func(v Value) field.ErrorList {
			return validateClaimSpec(&v.(*corev1.PersistentVolumeClaim).Spec, field.NewPath("spec"))
		},
		refused: func(v Value) field.ErrorList {
			return refusedClaimSpec(&v.(*corev1.PersistentVolumeClaim).Spec, field.NewPath("spec"))
		},
		update: func(before, after Value) field.ErrorList {
			a, b := before.(*corev1.PersistentVolumeClaim).Spec.DeepCopy(), after.(*corev1.PersistentVolumeClaim).Spec.DeepCopy()
			a.Resources, b.Resources = corev1.VolumeResourceRequirements{}, corev1.VolumeResourceRequirements{}
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

// validateClaimSpec follows kubernetes pkg/apis/core/validation, ValidatePersistentVolumeClaimSpec.
func validateClaimSpec(s *corev1.PersistentVolumeClaimSpec, path *field.Path) field.ErrorList {
	errs := validateAccessModes(s.AccessModes, path.Child("accessModes"))
	errs = append(errs, validateSelector(s.Selector, path.Child("selector"))...)
	size, ok := s.Resources.Requests[corev1.ResourceStorage]
	at := path.Child("resources").Key("storage")
	switch {
	case !ok:
		errs = append(errs, field.Required(at, ""))
	case size.Sign() <= 0:
		errs = append(errs, field.Invalid(at, size.String(), "must be greater than zero"))
	}
	if class := s.StorageClassName; class != nil && *class != "" {
		errs = append(errs, dnsSubdomain(*class, path.Child("storageClassName"))...)
	}
	if class := s.VolumeAttributesClassName; class != nil && *class != "" {
		errs = append(errs, dnsSubdomain(*class, path.Child("volumeAttributesClassName"))...)
	}
	return errs
}

func validateAccessModes(modes []corev1.PersistentVolumeAccessMode, path *field.Path) field.ErrorList {
	if len(modes) == 0 {
		return field.ErrorList{field.Required(path, "at least 1 access mode is required")}
	}
	var errs field.ErrorList
	alone, shared := false, false
	for _, m := range modes {
		unknown := supports(path, m, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod)
		errs = append(errs, unknown...)
		alone, shared = alone || m == corev1.ReadWriteOncePod, shared || m != corev1.ReadWriteOncePod && len(unknown) == 0
	}
	if alone && shared {
		errs = append(errs, field.Forbidden(path, "may not use ReadWriteOncePod with other access modes"))
	}
	return errs
}

func refusedClaimSpec(s *corev1.PersistentVolumeClaimSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.VolumeMode != nil && *s.VolumeMode != corev1.PersistentVolumeFilesystem {
		errs = append(errs, field.Forbidden(path.Child("volumeMode"), "podd gives containers folders; remove the field or set it to Filesystem"))
	}
	if s.DataSource != nil {
		errs = append(errs, field.Forbidden(path.Child("dataSource"), noCopy))
	}
	if s.DataSourceRef != nil {
		errs = append(errs, field.Forbidden(path.Child("dataSourceRef"), noCopy))
	}
	return errs
}
