package manifest

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// armorAnnotation has the name of a container after it. It counts in Kubernetes where the field is not set.
const armorAnnotation = "container.apparmor.security.beta.kubernetes.io/"

// legacyAnnotations said what fields say today. Who still writes them relies on them: they are refused as the fields
// are, but for the value that asks for nothing.
var legacyAnnotations = [...]struct{ key, only, why string }{
	{armorAnnotation, "unconfined", "podd does not load AppArmor profiles yet; remove the annotation or set it to unconfined"},
	{"seccomp.security.alpha.kubernetes.io/pod", "unconfined", noSeccompAnnotation},
	{"container.seccomp.security.alpha.kubernetes.io/", "unconfined", noSeccompAnnotation},
	{"security.alpha.kubernetes.io/sysctls", "", noSysctlAnnotation},
	{"security.alpha.kubernetes.io/unsafe-sysctls", "", noSysctlAnnotation},
}

const (
	noSeccompAnnotation = "podd has no seccomp profiles yet; remove the annotation or set it to unconfined"
	noSysctlAnnotation  = "Kubernetes has taken this from spec.securityContext.sysctls since 1.11; write it there"
)

// refusedAnnotations lists annotations that would be ignored silently, though they confine or change the pod.
func refusedAnnotations(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		for _, a := range legacyAnnotations {
			if hit := key == a.key || strings.HasSuffix(a.key, "/") && strings.HasPrefix(key, a.key); hit && annotations[key] != a.only {
				errs = append(errs, field.Forbidden(path.Key(key), a.why))
			}
		}
	}
	return errs
}

// validateArmorAnnotations demands that annotations name containers of the pod.
func validateArmorAnnotations(annotations map[string]string, spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, armorAnnotation)
		if !ok {
			continue
		}
		named := func(c corev1.Container) bool { return c.Name == name }
		if !slices.ContainsFunc(spec.Containers, named) && !slices.ContainsFunc(spec.InitContainers, named) {
			errs = append(errs, field.Invalid(path.Key(key), name, "container not found"))
		}
	}
	return errs
}
