// Package annotation has the annotations that podd reads, and refuses those of the past that would mean something else.
package annotation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// ValidateArmor demands that annotations name containers of the pod and profiles, and say what the containers' fields say.
func ValidateArmor(annotations map[string]string, spec *corev1.PodSpec, path, specPath *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, armorAnnotation)
		if !ok {
			continue
		}
		value := annotations[key]
		c, at := containerNamed(spec, specPath, name)
		if c == nil {
			errs = append(errs, field.Invalid(path.Key(key), name, "container not found"))
		}
		switch {
		case !isArmor(value):
			errs = append(errs, field.Invalid(path.Key(key), value, fmt.Sprintf("invalid AppArmor profile name: %q", value)))
		case c != nil && c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil:
			errs = append(errs, matchArmor(value, c.SecurityContext.AppArmorProfile, at.Child("securityContext", "appArmorProfile"))...)
		}
	}
	return errs
}

func containerNamed(spec *corev1.PodSpec, path *field.Path, name string) (*corev1.Container, *field.Path) {
	for i := range spec.InitContainers {
		if spec.InitContainers[i].Name == name {
			return &spec.InitContainers[i], path.Child("initContainers").Index(i)
		}
	}
	for i := range spec.Containers {
		if spec.Containers[i].Name == name {
			return &spec.Containers[i], path.Child("containers").Index(i)
		}
	}
	return nil, nil
}

// isArmor takes an empty value, too, which says nothing.
func isArmor(value string) bool {
	return value == "" || value == corev1.DeprecatedAppArmorBetaProfileNameUnconfined || value == corev1.DeprecatedAppArmorBetaProfileRuntimeDefault ||
		strings.HasPrefix(value, corev1.DeprecatedAppArmorBetaProfileNamePrefix)
}

func matchArmor(value string, f *corev1.AppArmorProfile, path *field.Path) field.ErrorList {
	a := ArmorOf(value)
	switch {
	case a == nil || a.Type != f.Type:
		return field.ErrorList{field.Forbidden(path.Child("type"), "apparmor type in annotation and field must match")}
	case a.LocalhostProfile != nil && (f.LocalhostProfile == nil || *f.LocalhostProfile != *a.LocalhostProfile):
		return field.ErrorList{field.Forbidden(path.Child("localhostProfile"), "apparmor profile in annotation and field must match")}
	}
	return nil
}

// ArmorOf is the field that an annotation's value stands for; nil: none.
func ArmorOf(value string) *corev1.AppArmorProfile {
	switch local, isLocal := strings.CutPrefix(value, corev1.DeprecatedAppArmorBetaProfileNamePrefix); {
	case isLocal && local != "":
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &local}
	case value == corev1.DeprecatedAppArmorBetaProfileNameUnconfined:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	case value == corev1.DeprecatedAppArmorBetaProfileRuntimeDefault:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	}
	return nil
}

// SealedKey marks a Secret whose values are encrypted (podd seal). Its value names the form of the encryption.
const SealedKey = "podd.dev/sealed"

// IsSealed says whether the values of a Secret are encrypted.
func IsSealed(s *corev1.Secret) bool { return s.Annotations[SealedKey] != "" }

// SealedSum identifies the encrypted values of a Secret.
func SealedSum(s *corev1.Secret) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		fmt.Fprintf(h, "%q %q\n", key, s.Data[key])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

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
