package validate

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/fields"
)

// ClaimSpec follows kubernetes pkg/apis/core/validation, ValidatePersistentVolumeClaimSpec.
func ClaimSpec(s *corev1.PersistentVolumeClaimSpec, path *field.Path) field.ErrorList {
	errs := AccessModes(s.AccessModes, path.Child("accessModes"))
	errs = append(errs, LabelSelector(s.Selector, path.Child("selector"))...)
	size, ok := s.Resources.Requests[corev1.ResourceStorage]
	at := path.Child("resources").Key("storage")
	switch {
	case !ok:
		errs = append(errs, field.Required(at, ""))
	case size.Sign() <= 0:
		errs = append(errs, field.Invalid(at, size.String(), "must be greater than zero"))
	}
	if class := s.StorageClassName; class != nil && *class != "" {
		errs = append(errs, DNSSubdomain(*class, path.Child("storageClassName"))...)
	}
	if class := s.VolumeAttributesClassName; class != nil && *class != "" {
		errs = append(errs, DNSSubdomain(*class, path.Child("volumeAttributesClassName"))...)
	}
	return errs
}

// AccessModes checks how a volume may be mounted.
func AccessModes(modes []corev1.PersistentVolumeAccessMode, path *field.Path) field.ErrorList {
	if len(modes) == 0 {
		return field.ErrorList{field.Required(path, "at least 1 access mode is required")}
	}
	var errs field.ErrorList
	alone, shared := false, false
	for _, m := range modes {
		unknown := Supported(path, m, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod)
		errs = append(errs, unknown...)
		alone, shared = alone || m == corev1.ReadWriteOncePod, shared || m != corev1.ReadWriteOncePod && len(unknown) == 0
	}
	if alone && shared {
		errs = append(errs, field.Forbidden(path, "may not use ReadWriteOncePod with other access modes"))
	}
	return errs
}

// validateVolumes returns the valid volumes by name as well: only those can be mounted.
func validateVolumes(volumes []corev1.Volume, path *field.Path) (map[string]*corev1.Volume, field.ErrorList) {
	var errs field.ErrorList
	valid := make(map[string]*corev1.Volume, len(volumes))
	for i := range volumes {
		v, at := &volumes[i], path.Index(i)
		own := validateSource(&v.VolumeSource, at)
		if v.Name == "" {
			own = append(own, field.Required(at.Child("name"), ""))
		} else {
			own = append(own, DNSLabel(v.Name, at.Child("name"))...)
		}
		if valid[v.Name] != nil {
			own = append(own, field.Duplicate(at.Child("name"), v.Name))
		}
		if len(own) == 0 {
			valid[v.Name] = v
		}
		errs = append(errs, own...)
	}
	return valid, errs
}

// validateSource demands that a volume has one source, and checks the sources that need no cluster or driver.
func validateSource(s *corev1.VolumeSource, path *field.Path) field.ErrorList {
	return OneSource(s, path, func(at *field.Path) field.ErrorList { return validateKind(s, at) })
}

// OneSource demands that of the pointers in a struct, which source points to, one is set; check is asked about that, unless it is nil.
func OneSource(source any, path *field.Path, check func(*field.Path) field.ErrorList) field.ErrorList {
	var errs field.ErrorList
	found := false
	s := reflect.ValueOf(source).Elem()
	decode.FieldsOf(s.Type(), s, func(f decode.StructField, v reflect.Value) {
		switch {
		case v.IsNil():
		case found:
			errs = append(errs, field.Forbidden(path.Child(f.Name), "may not specify more than 1 volume type"))
		default:
			found = true
			if check != nil {
				errs = append(errs, check(path.Child(f.Name))...)
			}
		}
	})
	if !found {
		errs = append(errs, field.Required(path, "must specify a volume type"))
	}
	return errs
}

func validateKind(s *corev1.VolumeSource, path *field.Path) field.ErrorList {
	switch {
	case s.EmptyDir != nil:
		if limit := s.EmptyDir.SizeLimit; limit != nil && limit.Sign() < 0 {
			return field.ErrorList{field.Forbidden(path.Child("sizeLimit"), "SizeLimit field must be a valid resource quantity")}
		}
		if m := s.EmptyDir.Mode; m != nil && (*m < 0 || *m > 0o1777) {
			return field.ErrorList{field.Invalid(path.Child("mode"), *m, "must be a number between 0 and 01777 (octal), both inclusive")}
		}
	case s.HostPath != nil:
		return HostPath(s.HostPath, path)
	case s.NFS != nil:
		return NFS(s.NFS, path)
	case s.Secret != nil:
		errs := Required(s.Secret.SecretName, path.Child("secretName"))
		errs = append(errs, validateMode(s.Secret.DefaultMode, path.Child("defaultMode"))...)
		errs = append(errs, validateUser(s.Secret.DefaultUser, path.Child("defaultUser"))...)
		return append(errs, validateItems(s.Secret.Items, path.Child("items"))...)
	case s.ConfigMap != nil:
		errs := Required(s.ConfigMap.Name, path.Child("name"))
		errs = append(errs, validateMode(s.ConfigMap.DefaultMode, path.Child("defaultMode"))...)
		errs = append(errs, validateUser(s.ConfigMap.DefaultUser, path.Child("defaultUser"))...)
		return append(errs, validateItems(s.ConfigMap.Items, path.Child("items"))...)
	case s.DownwardAPI != nil:
		errs := validateMode(s.DownwardAPI.DefaultMode, path.Child("defaultMode"))
		errs = append(errs, validateUser(s.DownwardAPI.DefaultUser, path.Child("defaultUser"))...)
		return append(errs, validateFiles(s.DownwardAPI.Items, path)...)
	case s.PersistentVolumeClaim != nil:
		return Required(s.PersistentVolumeClaim.ClaimName, path.Child("claimName"))
	case s.Projected != nil:
		return validateProjected(s.Projected, path)
	case s.Image != nil:
		return append(Required(s.Image.Reference, path.Child("reference")),
			OneOf(path.Child("pullPolicy"), s.Image.PullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)...)
	case s.Ephemeral != nil:
		at := path.Child("volumeClaimTemplate")
		if s.Ephemeral.VolumeClaimTemplate == nil {
			return field.ErrorList{field.Required(at, "")}
		}
		t := s.Ephemeral.VolumeClaimTemplate
		return append(validateTemplateMeta(&t.ObjectMeta, at.Child("metadata")), ClaimSpec(&t.Spec, at.Child("spec"))...)
	}
	return nil
}

// Required refuses an empty value.
func Required(value string, path *field.Path) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return nil
}

// NFS judges a folder of an NFS server. kubernetes pkg/apis/core/validation, validateNFSVolumeSource
func NFS(n *corev1.NFSVolumeSource, path *field.Path) field.ErrorList {
	errs := Required(n.Server, path.Child("server"))
	at := path.Child("path")
	errs = append(errs, Required(n.Path, at)...)
	if !strings.HasPrefix(n.Path, "/") {
		errs = append(errs, field.Invalid(at, n.Path, "must be an absolute path"))
	}
	return errs
}

// HostPath judges a hostPath.
func HostPath(h *corev1.HostPathVolumeSource, path *field.Path) field.ErrorList {
	if h.Path == "" {
		return field.ErrorList{field.Required(path.Child("path"), "")}
	}
	errs := NoBacksteps(h.Path, path.Child("path"))
	if h.Type == nil {
		return errs
	}
	return append(errs, Supported(path.Child("type"), *h.Type,
		corev1.HostPathUnset, corev1.HostPathBlockDev, corev1.HostPathCharDev, corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate,
		corev1.HostPathFile, corev1.HostPathFileOrCreate, corev1.HostPathSocket)...)
}

func validateMode(mode *int32, path *field.Path) field.ErrorList {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		return field.ErrorList{field.Invalid(path, *mode, "must be a number between 0 and 0777 (octal), both inclusive")}
	}
	return nil
}

func validateUser(user *int64, path *field.Path) field.ErrorList {
	return validateID(user, path, validation.IsValidUserID)
}

func validateItems(items []corev1.KeyToPath, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range items {
		at := path.Index(i)
		errs = append(errs, Required(items[i].Key, at.Child("key"))...)
		errs = append(errs, Required(items[i].Path, at.Child("path"))...)
		errs = append(errs, localPath(items[i].Path, at.Child("path"))...)
		errs = append(errs, validateMode(items[i].Mode, at.Child("mode"))...)
		errs = append(errs, validateUser(items[i].User, at.Child("user"))...)
	}
	return errs
}

// localPath demands a descending path that does not start with "..", as the names of podd's own files do.
func localPath(p string, path *field.Path) field.ErrorList {
	errs := descendingPath(p, path)
	if strings.HasPrefix(p, "..") && !strings.HasPrefix(p, "../") {
		errs = append(errs, field.Invalid(path, p, "must not start with '..'"))
	}
	return errs
}

func validateFiles(files []corev1.DownwardAPIVolumeFile, path *field.Path) field.ErrorList {
	plain := []string{"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
	var errs field.ErrorList
	for i := range files {
		f := &files[i]
		errs = append(errs, Required(f.Path, path.Child("path"))...)
		errs = append(errs, localPath(f.Path, path.Child("path"))...)
		switch {
		case f.FieldRef != nil && f.ResourceFieldRef != nil:
			errs = append(errs, field.Invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
		case f.FieldRef != nil:
			errs = append(errs, validateFieldRef(f.FieldRef, path.Child("fieldRef"), plain)...)
		case f.ResourceFieldRef != nil:
			errs = append(errs, validateResourceRef(f.ResourceFieldRef, path.Child("resourceFieldRef"), true)...)
		default:
			errs = append(errs, field.Required(path, "one of fieldRef and resourceFieldRef is required"))
		}
		errs = append(errs, validateMode(f.Mode, path.Child("mode"))...)
		errs = append(errs, validateUser(f.User, path.Child("user"))...)
	}
	return errs
}

func validateProjected(p *corev1.ProjectedVolumeSource, path *field.Path) field.ErrorList {
	errs := validateMode(p.DefaultMode, path.Child("defaultMode"))
	errs = append(errs, validateUser(p.DefaultUser, path.Child("defaultUser"))...)
	for i := range p.Sources {
		s, at := &p.Sources[i], path.Child("sources").Index(i)
		count := 0
		if s.Secret != nil {
			count++
			errs = append(errs, Required(s.Secret.Name, at.Child("secret", "name"))...)
			errs = append(errs, validateItems(s.Secret.Items, at.Child("secret", "items"))...)
		}
		if s.ConfigMap != nil {
			count++
			errs = append(errs, Required(s.ConfigMap.Name, at.Child("configMap", "name"))...)
			errs = append(errs, validateItems(s.ConfigMap.Items, at.Child("configMap", "items"))...)
		}
		if s.DownwardAPI != nil {
			count++
			errs = append(errs, validateFiles(s.DownwardAPI.Items, at.Child("downwardAPI"))...)
		}
		if t := s.ServiceAccountToken; t != nil {
			count++
			if e := t.ExpirationSeconds; e != nil && *e < 10*60 {
				errs = append(errs, field.Invalid(at.Child("serviceAccountToken", "expirationSeconds"), *e, "may not specify a duration less than 10 minutes"))
			} else if e != nil && *e > 1<<32 {
				errs = append(errs, field.Invalid(at.Child("serviceAccountToken", "expirationSeconds"), *e, "may not specify a duration larger than 2^32 seconds"))
			}
			errs = append(errs, Required(t.Path, path.Child("path"))...)
			errs = append(errs, localPath(t.Path, path.Child("path"))...)
			errs = append(errs, validateUser(t.User, at.Child("serviceAccountToken", "user"))...)
		}
		if count > 1 {
			errs = append(errs, field.Forbidden(at, "may not specify more than 1 volume type per source"))
		}
	}
	return append(errs, distinctPaths(p, path)...)
}

// distinctPaths demands that no two sources of a volume name one file. A source without items has those of its keys,
// which nobody knows yet: of these, the later counts.
func distinctPaths(p *corev1.ProjectedVolumeSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	claim := func(file, who string) {
		if file != "" && seen[file] {
			errs = append(errs, field.Invalid(path, who, "conflicting duplicate paths"))
		}
		seen[file] = true
	}
	for i := range p.Sources {
		s := &p.Sources[i]
		if s.Secret != nil {
			for _, item := range s.Secret.Items {
				claim(item.Path, s.Secret.Name)
			}
		}
		if s.ConfigMap != nil {
			for _, item := range s.ConfigMap.Items {
				claim(item.Path, s.ConfigMap.Name)
			}
		}
		if s.DownwardAPI != nil {
			for _, item := range s.DownwardAPI.Items {
				claim(item.Path, item.Path)
			}
		}
		if s.ServiceAccountToken != nil {
			claim(s.ServiceAccountToken.Path, s.ServiceAccountToken.Path)
		}
		if s.ClusterTrustBundle != nil {
			claim(s.ClusterTrustBundle.Path, s.ClusterTrustBundle.Path)
		}
	}
	return errs
}

// validateTemplateMeta checks the metadata of a template, of which only labels and annotations come into use.
func validateTemplateMeta(m *metav1.ObjectMeta, path *field.Path) field.ErrorList {
	errs := Annotations(m.Annotations, path.Child("annotations"))
	errs = append(errs, Labels(m.Labels, path.Child("labels"))...)
	v := reflect.ValueOf(m).Elem()
	decode.FieldsOf(v.Type(), v, func(f decode.StructField, value reflect.Value) {
		if f.Name != "annotations" && f.Name != "labels" && fields.IsSet(value) {
			errs = append(errs, field.Forbidden(path.Child(f.Name), "cannot be set"))
		}
	})
	return errs
}
