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

// legacyAnnotations said what fields say today. Who still writes them relies on them: they are refused, but for the values
// that come true.
var legacyAnnotations = [...]struct{ key, allowed, why string }{
	{armorAnnotation, "unconfined", "podd does not load AppArmor profiles yet; remove the annotation or set it to unconfined"},
	{corev1.SeccompPodAnnotationKey, seccompAnnotations, noSeccompAnnotation},
	{corev1.SeccompContainerAnnotationKeyPrefix, seccompAnnotations, noSeccompAnnotation},
	{"security.alpha.kubernetes.io/sysctls", "", noSysctlAnnotation},
	{"security.alpha.kubernetes.io/unsafe-sysctls", "", noSysctlAnnotation},
}

const (
	seccompAnnotations  = "unconfined runtime/default docker/default"
	noSeccompAnnotation = `non-functional in v1.27+; use the "seccompProfile" field instead`
	noSysctlAnnotation  = "Kubernetes has taken this from spec.securityContext.sysctls since 1.11; write it there"
)

// refusedAnnotations lists annotations that would be ignored silently, though they confine or change the pod.
func refusedAnnotations(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		for _, a := range legacyAnnotations {
			if hit := key == a.key || strings.HasSuffix(a.key, "/") && strings.HasPrefix(key, a.key); hit && !slices.Contains(strings.Fields(a.allowed), annotations[key]) {
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
