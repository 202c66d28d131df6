package manifest

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func volumeRules() *rules {
	return &rules{
		apiVersion: "v1", kind: "PersistentVolume",
		blank: func() Value { return &corev1.PersistentVolume{} },
		prepare: func(v Value) {
			p := v.(*corev1.PersistentVolume)
			p.Status = corev1.PersistentVolumeStatus{}
			defaultTo(&p.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
			p.Spec.PersistentVolumeReclaimPolicy = defaulted(p.Spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimRetain)
			if p.Spec.HostPath != nil {
				defaultTo(&p.Spec.HostPath.Type, corev1.HostPathUnset)
			}
		},
		validate: func(v Value) field.ErrorList { return validateVolume(&v.(*corev1.PersistentVolume).Spec) },
		refused:  func(v Value) field.ErrorList { return refusedVolume(&v.(*corev1.PersistentVolume).Spec) },
		update: func(before, after Value) field.ErrorList {
			a, b := &before.(*corev1.PersistentVolume).Spec, &after.(*corev1.PersistentVolume).Spec
			if !equality.Semantic.DeepEqual(a.PersistentVolumeSource, b.PersistentVolumeSource) {
				return field.ErrorList{field.Forbidden(field.NewPath("spec", "persistentvolumesource"), "spec.persistentvolumesource is immutable after creation")}
			}
			return nil
		},
	}
}

// validateVolume follows kubernetes pkg/apis/core/validation, ValidatePersistentVolumeSpec.
func validateVolume(s *corev1.PersistentVolumeSpec) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateAccessModes(s.AccessModes, path.Child("accessModes"))
	if size, ok := s.Capacity[corev1.ResourceStorage]; !ok {
		errs = append(errs, field.Required(path.Child("capacity"), "storage is required"))
	} else if size.Sign() <= 0 {
		errs = append(errs, field.Invalid(path.Child("capacity").Key("storage"), size.String(), "must be greater than zero"))
	}
	switch {
	case s.HostPath != nil:
		errs = append(errs, validateHostPath(s.HostPath, path.Child("hostPath"))...)
	case s.Local != nil:
		errs = append(errs, required(s.Local.Path, path.Child("local", "path"))...)
		errs = append(errs, noBacksteps(s.Local.Path, path.Child("local", "path"))...)
	}
	errs = append(errs, oneSource(&s.PersistentVolumeSource, path, nil)...)
	if class := s.StorageClassName; class != "" {
		errs = append(errs, dnsSubdomain(class, path.Child("storageClassName"))...)
	}
	return errs
}

// refusedVolume: podd binds claims to folders, and never removes what it has not made.
func refusedVolume(s *corev1.PersistentVolumeSpec) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if s.HostPath == nil && s.Local == nil {
		errs = append(errs, field.Forbidden(path, "podd has no driver for this kind of storage; mount it on the host and use hostPath or local"))
	}
	if *s.VolumeMode != corev1.PersistentVolumeFilesystem {
		errs = append(errs, field.Forbidden(path.Child("volumeMode"), "podd gives containers folders; remove the field or set it to Filesystem"))
	}
	if s.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
		errs = append(errs, field.Forbidden(path.Child("persistentVolumeReclaimPolicy"), "podd removes no folders that it has not made; remove the field or set it to Retain"))
	}
	return errs
}

func classRules() *rules {
	return &rules{
		apiVersion: "storage.k8s.io/v1", kind: "StorageClass",
		blank: func() Value { return &storagev1.StorageClass{} },
		prepare: func(v Value) {
			c := v.(*storagev1.StorageClass)
			defaultTo(&c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)
			defaultTo(&c.VolumeBindingMode, storagev1.VolumeBindingImmediate)
		},
		validate: func(v Value) field.ErrorList {
			c := v.(*storagev1.StorageClass)
			errs := required(c.Provisioner, field.NewPath("provisioner"))
			errs = append(errs, supports(field.NewPath("reclaimPolicy"), *c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain)...)
			return append(errs, supports(field.NewPath("volumeBindingMode"), *c.VolumeBindingMode, storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer)...)
		},
	}
}
