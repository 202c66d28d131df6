package kinds

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/resources"
	"podd/runtime/manifest/validate"
	"podd/runtime/volume/nfs"
)

func volumeRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "PersistentVolume",
		Blank: func() Value { return &corev1.PersistentVolume{} },
		Prepare: func(v Value) {
			p := v.(*corev1.PersistentVolume)
			p.Status = corev1.PersistentVolumeStatus{}
			defaults.Set(&p.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
			p.Spec.PersistentVolumeReclaimPolicy = defaults.Or(p.Spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimRetain)
			if p.Spec.HostPath != nil {
				defaults.Set(&p.Spec.HostPath.Type, corev1.HostPathUnset)
			}
		},
		Validate: func(v Value) field.ErrorList { return validateVolume(&v.(*corev1.PersistentVolume).Spec) },
		Refused:  func(v Value) field.ErrorList { return refusedVolume(v.(*corev1.PersistentVolume)) },
		Update: func(before, after Value) field.ErrorList {
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
	errs := validate.AccessModes(s.AccessModes, path.Child("accessModes"))
	errs = append(errs, validateCapacity(s.Capacity, path.Child("capacity"))...)
	if n := s.NodeAffinity; n != nil {
		if at := path.Child("nodeAffinity", "required"); n.Required == nil {
			errs = append(errs, field.Required(at, "must specify required node constraints"))
		} else {
			errs = append(errs, validate.ValidateNodeSelector(n.Required, at)...)
		}
	}
	switch {
	case s.HostPath != nil:
		errs = append(errs, validate.HostPath(s.HostPath, path.Child("hostPath"))...)
	case s.NFS != nil:
		errs = append(errs, validate.NFS(s.NFS, path.Child("nfs"))...)
	case s.Local != nil:
		errs = append(errs, validate.Required(s.Local.Path, path.Child("local", "path"))...)
		errs = append(errs, validate.NoBacksteps(s.Local.Path, path.Child("local", "path"))...)
		if s.NodeAffinity == nil {
			errs = append(errs, field.Required(path.Child("nodeAffinity"), "Local volume requires node affinity"))
		}
	}
	errs = append(errs, validate.OneSource(&s.PersistentVolumeSource, path, nil)...)
	if class := s.StorageClassName; class != "" {
		errs = append(errs, validate.DNSSubdomain(class, path.Child("storageClassName"))...)
	}
	return errs
}

func validateCapacity(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(list) == 0 {
		errs = append(errs, field.Required(path, ""))
	}
	if _, ok := list[corev1.ResourceStorage]; !ok || len(list) > 1 {
		errs = append(errs, field.NotSupported(path, list, []corev1.ResourceName{corev1.ResourceStorage}))
	}
	for _, name := range resources.SortedNames(list) {
		size, at := list[name], path.Key(string(name))
		if size.Value() < 0 { // also one that does not fit
			errs = append(errs, field.Invalid(at, size.Value(), "must be a valid resource quantity"))
		}
		if size.Sign() <= 0 {
			errs = append(errs, field.Invalid(at, size.String(), "must be greater than zero"))
		}
	}
	return errs
}

// refusedVolume: podd binds claims to folders, and never removes what it has not made.
func refusedVolume(v *corev1.PersistentVolume) field.ErrorList {
	s, path := &v.Spec, field.NewPath("spec")
	errs := refusedMountOptions(v)
	if s.HostPath == nil && s.Local == nil && s.NFS == nil {
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

// refusedMountOptions names the first option that an NFS server's folder cannot be mounted with. Folders of the board are mounted
// already.
func refusedMountOptions(v *corev1.PersistentVolume) field.ErrorList {
	list, annotated := nfs.MountOptions(v.Spec.MountOptions, v.Annotations)
	at := field.NewPath("spec", "mountOptions").Index
	if annotated {
		at = func(int) *field.Path { return field.NewPath("metadata", "annotations").Key(nfs.OptionsAnnotation) }
	}
	switch {
	case strings.Join(list, "") == "":
		return nil
	case v.Spec.NFS == nil:
		return field.ErrorList{field.Forbidden(at(0), "podd mounts volumes of nfs alone with options; set them where the host mounts the folder")}
	}
	if index, err := nfs.CheckOptions(list); err != nil {
		return field.ErrorList{field.Forbidden(at(index), err.Error())}
	}
	return nil
}

func classRules() *Rules {
	return &Rules{
		APIVersion: "storage.k8s.io/v1", Kind: "StorageClass",
		Blank: func() Value { return &storagev1.StorageClass{} },
		Prepare: func(v Value) {
			c := v.(*storagev1.StorageClass)
			defaults.Set(&c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)
			defaults.Set(&c.VolumeBindingMode, storagev1.VolumeBindingImmediate)
		},
		Validate: func(v Value) field.ErrorList {
			return validateClass(v.(*storagev1.StorageClass))
		},
	}
}

// What the parameters of a class may be. kubernetes pkg/apis/storage/validation
const maxClassParameters, maxClassParameterBytes = 512, 256 << 10

// validateClass follows kubernetes pkg/apis/storage/validation, ValidateStorageClass.
func validateClass(c *storagev1.StorageClass) field.ErrorList {
	at := field.NewPath("provisioner")
	errs := validate.Required(c.Provisioner, at)
	if c.Provisioner != "" {
		errs = append(errs, validate.LabelName(strings.ToLower(c.Provisioner), at)...)
	}
	errs = append(errs, validateClassParameters(c.Parameters, field.NewPath("parameters"))...)
	if *c.ReclaimPolicy != "" {
		errs = append(errs, validate.Supported(field.NewPath("reclaimPolicy"), *c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain)...)
	}
	errs = append(errs, validate.Supported(field.NewPath("volumeBindingMode"), *c.VolumeBindingMode, storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer)...)
	return append(errs, validateTopologies(c.AllowedTopologies, field.NewPath("allowedTopologies"))...)
}

func validateClassParameters(parameters map[string]string, path *field.Path) field.ErrorList {
	if len(parameters) > maxClassParameters {
		return field.ErrorList{field.TooLong(path, "", maxClassParameters)}
	}
	var errs field.ErrorList
	total := 0
	for key, value := range parameters {
		if key == "" {
			errs = append(errs, field.Invalid(path, key, "field can not be empty."))
		}
		total += len(key) + len(value)
	}
	if total > maxClassParameterBytes {
		errs = append(errs, field.TooLong(path, "", maxClassParameterBytes))
	}
	return errs
}

// validateTopologies checks the places that a class allows. No two of them may be the same, nor may one be empty: the API
// server takes that for a doubled one.
func validateTopologies(terms []corev1.TopologySelectorTerm, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{"": true}
	for i, term := range terms {
		at := path.Index(i).Child("matchLabelExpressions")
		keys, all := validate.Seen{}, []string{}
		for j, r := range term.MatchLabelExpressions {
			errs = append(errs, validateTopology(&r, at.Index(j))...)
			if keys.Add(r.Key) {
				errs = append(errs, field.Duplicate(at.Index(j).Child("key"), r.Key))
			}
			all = append(all, fmt.Sprintf("%q%q", r.Key, slices.Compact(slices.Sorted(slices.Values(r.Values)))))
		}
		if place := strings.Join(slices.Sorted(slices.Values(all)), ","); seen[place] {
			errs = append(errs, field.Duplicate(at, ""))
		} else {
			seen[place] = true
		}
	}
	return errs
}

func validateTopology(r *corev1.TopologySelectorLabelRequirement, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(r.Values) == 0 {
		errs = append(errs, field.Required(path.Child("values"), ""))
	}
	values := validate.Seen{}
	for i, v := range r.Values {
		if values.Add(v) {
			errs = append(errs, field.Duplicate(path.Child("values").Index(i), v))
		}
	}
	return append(errs, validate.LabelName(r.Key, path.Child("key"))...)
}
