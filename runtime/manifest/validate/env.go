package validate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateEnv(vars []corev1.EnvVar, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range vars {
		at := path.Index(i)
		if name := vars[i].Name; name == "" {
			errs = append(errs, field.Required(at.Child("name"), ""))
		} else {
			errs = append(errs, Invalid(at.Child("name"), name, validation.IsRelaxedEnvVarName(name))...)
		}
		errs = append(errs, validateEnvSource(&vars[i], at.Child("valueFrom"))...)
	}
	return errs
}

func validateEnvSource(v *corev1.EnvVar, path *field.Path) field.ErrorList {
	from := v.ValueFrom
	if from == nil {
		return nil
	}
	var errs field.ErrorList
	sources := 0
	if r := from.FieldRef; r != nil {
		sources++
		errs = append(errs, validateFieldRef(r, path.Child("fieldRef"), envFieldPaths())...)
	}
	if r := from.ResourceFieldRef; r != nil {
		sources++
		errs = append(errs, validateResourceRef(r, path.Child("resourceFieldRef"), false)...)
	}
	if r := from.ConfigMapKeyRef; r != nil {
		sources++
		errs = append(errs, validateKeyRef(r.Name, r.Key, path.Child("configMapKeyRef"))...)
	}
	if r := from.SecretKeyRef; r != nil {
		sources++
		errs = append(errs, validateKeyRef(r.Name, r.Key, path.Child("secretKeyRef"))...)
	}
	if r := from.FileKeyRef; r != nil {
		sources++
		errs = append(errs, validateFileRef(r, path.Child("fileKeyRef"))...)
	}
	switch {
	case sources == 0:
		errs = append(errs, field.Invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"))
	case v.Value != "":
		errs = append(errs, field.Invalid(path, "", "may not be specified when `value` is not empty"))
	case sources > 1:
		errs = append(errs, field.Invalid(path, "", "may not have more than one field specified at a time"))
	}
	return errs
}

func validateKeyRef(name, key string, path *field.Path) field.ErrorList {
	errs := DNSSubdomain(name, path.Child("name"))
	if key == "" {
		return append(errs, field.Required(path.Child("key"), ""))
	}
	return append(errs, Invalid(path.Child("key"), key, validation.IsConfigMapKey(key))...)
}

func validateFileRef(r *corev1.FileKeySelector, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if r.VolumeName == "" {
		errs = append(errs, field.Required(path.Child("volumeName"), ""))
	} else {
		errs = append(errs, DNSLabel(r.VolumeName, path.Child("volumeName"))...)
	}
	if r.Path == "" {
		errs = append(errs, field.Required(path.Child("path"), ""))
	} else {
		errs = append(errs, NoBacksteps(r.Path, path.Child("path"))...) // one that begins with / is taken from the volume on
	}
	if r.Key == "" {
		return append(errs, field.Required(path.Child("key"), ""))
	}
	return append(errs, Invalid(path.Child("key"), r.Key, validation.IsRelaxedEnvVarName(r.Key))...)
}

// validateFileVolumes demands that the files of variables are in emptyDirs. Any other volume would let a manifest copy
// files of the host, or of other pods, into an environment. kubernetes validateFileKeyRefVolumes
func validateFileVolumes(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	sources := make(map[string]*corev1.VolumeSource, len(spec.Volumes))
	for i := range spec.Volumes {
		sources[spec.Volumes[i].Name] = &spec.Volumes[i].VolumeSource
	}
	var errs field.ErrorList
	for _, list := range []struct {
		containers []corev1.Container
		path       *field.Path
	}{{spec.InitContainers, path.Child("initContainers")}, {spec.Containers, path.Child("containers")}} {
		for i := range list.containers {
			for j, v := range list.containers[i].Env {
				if v.ValueFrom == nil || v.ValueFrom.FileKeyRef == nil {
					continue
				}
				name := v.ValueFrom.FileKeyRef.VolumeName
				at := list.path.Index(i).Child("env").Index(j).Child("valueFrom", "fileKeyRef", "volumeName")
				if source := sources[name]; source == nil {
					errs = append(errs, field.NotFound(at, name))
				} else if source.EmptyDir == nil {
					errs = append(errs, field.Invalid(at, name, "referenced volume must be of type emptyDir"))
				}
			}
		}
	}
	return errs
}

func envFieldPaths() []string {
	return []string{
		"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
		"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
	}
}

// validateFieldRef checks a downward API reference, of which plain are the paths without subscript.
func validateFieldRef(r *corev1.ObjectFieldSelector, path *field.Path, plain []string) field.ErrorList {
	switch {
	case r.APIVersion == "":
		return field.ErrorList{field.Required(path.Child("apiVersion"), "")}
	case r.FieldPath == "":
		return field.ErrorList{field.Required(path.Child("fieldPath"), "")}
	case r.APIVersion != "v1":
		return field.ErrorList{field.Invalid(path.Child("fieldPath"), r.FieldPath, "error converting fieldPath: unsupported pod version: "+r.APIVersion)}
	}
	if base, rest, ok := strings.Cut(r.FieldPath, "['"); ok && strings.HasSuffix(rest, "']") {
		key := strings.TrimSuffix(rest, "']")
		switch base {
		case "metadata.annotations":
			return Invalid(path, strings.ToLower(key), validation.IsQualifiedName(strings.ToLower(key)))
		case "metadata.labels":
			return Invalid(path, key, validation.IsQualifiedName(key))
		default:
			return field.ErrorList{field.Invalid(path.Child("fieldPath"), r.FieldPath, "error converting fieldPath: field label does not support subscript: "+r.FieldPath)}
		}
	}
	// kubernetes pkg/apis/core/pods, ConvertDownwardAPIFieldLabel: fields that there are, though none of these sources has them all
	known := append([]string{"metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase"}, envFieldPaths()...)
	if !slices.Contains(known, r.FieldPath) {
		return field.ErrorList{field.Invalid(path.Child("fieldPath"), r.FieldPath, "error converting fieldPath: field label not supported: "+r.FieldPath)}
	}
	if !slices.Contains(plain, r.FieldPath) {
		return field.ErrorList{field.NotSupported(path.Child("fieldPath"), r.FieldPath, slices.Sorted(slices.Values(plain)))}
	}
	return nil
}

func validateResourceRef(r *corev1.ResourceFieldSelector, path *field.Path, needsContainer bool) field.ErrorList {
	var errs field.ErrorList
	known := []string{
		"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory",
	}
	huge := strings.HasPrefix(r.Resource, "limits.hugepages-") || strings.HasPrefix(r.Resource, "requests.hugepages-")
	switch {
	case needsContainer && r.ContainerName == "":
		errs = append(errs, field.Required(path.Child("containerName"), ""))
	case r.Resource == "":
		errs = append(errs, field.Required(path.Child("resource"), ""))
	case !huge && !slices.Contains(known, r.Resource):
		errs = append(errs, field.NotSupported(path.Child("resource"), r.Resource, known))
	}
	if r.Divisor.IsZero() {
		return errs
	}
	_, kind, _ := strings.Cut(r.Resource, ".")
	divisors := []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
	if kind == "cpu" {
		divisors = []string{"1m", "1"}
	}
	if slices.Contains(divisors, r.Divisor.String()) {
		return errs
	}
	list := strings.Join(divisors, ", ")
	switch {
	case kind == "cpu":
		list, kind = "1m and 1", "cpu"
	case kind == "ephemeral-storage":
		kind = "local ephemeral storage"
	case huge:
		kind = "hugepages"
	case kind != "memory":
		return errs
	}
	return append(errs, field.Invalid(path.Child("divisor"), r.Resource,
		"only divisor's values "+list+" are supported with the "+kind+" resource"))
}

func validateEnvFrom(sources []corev1.EnvFromSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, s := range sources {
		at := path.Index(i)
		if s.Prefix != "" {
			errs = append(errs, Invalid(at.Child("prefix"), s.Prefix, validation.IsRelaxedEnvVarName(s.Prefix))...)
		}
		if s.ConfigMapRef != nil {
			errs = append(errs, validateRefName(s.ConfigMapRef.Name, at.Child("configMapRef", "name"))...)
		}
		if s.SecretRef != nil {
			errs = append(errs, validateRefName(s.SecretRef.Name, at.Child("secretRef", "name"))...)
		}
		switch {
		case s.ConfigMapRef == nil && s.SecretRef == nil:
			errs = append(errs, field.Invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
		case s.ConfigMapRef != nil && s.SecretRef != nil:
			errs = append(errs, field.Invalid(path, "", "may not have more than one field specified at a time"))
		}
	}
	return errs
}

func validateRefName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return DNSSubdomain(name, path)
}
