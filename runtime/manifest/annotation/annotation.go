// Package annotation has the annotations that podd reads, and refuses those of the past that would mean something else.
package annotation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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

// Refused lists annotations that would be ignored silently, though they confine or change the pod.
func Refused(annotations map[string]string, path *field.Path) field.ErrorList {
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

// ValidateArmor demands that annotations name containers of the pod.
func ValidateArmor(annotations map[string]string, spec *corev1.PodSpec, path *field.Path) field.ErrorList {
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

// SealedKey marks a Secret whose values are encrypted (podd seal). Its value names the form of the encryption.
const SealedKey = "podd.dev/sealed"

// IsSealed says whether the values of a Secret are encrypted.
func IsSealed(s *corev1.Secret) bool { return s.Annotations[SealedKey] != "" }

// ValidateBandwidth holds limits of traffic to what Kubernetes takes: quantities of bits a second from 1k to 1P
// (kubernetes, pkg/util/bandwidth).
func ValidateBandwidth(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range []string{"kubernetes.io/ingress-bandwidth", "kubernetes.io/egress-bandwidth"} {
		text, ok := annotations[key]
		if !ok {
			continue
		}
		if why := badBandwidth(text); why != "" {
			errs = append(errs, field.Invalid(path.Key(key), text, why))
		}
	}
	return errs
}

func badBandwidth(text string) string {
	q, err := resource.ParseQuantity(text)
	switch {
	case err != nil:
		return "must be a quantity of bits a second, such as 10M"
	case q.Cmp(resource.MustParse("1k")) < 0:
		return "resource is unreasonably small (< 1kbit)"
	case q.Cmp(resource.MustParse("1P")) > 0:
		return "resource is unreasonably large (> 1Pbit)"
	}
	return ""
}
