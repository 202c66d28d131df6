// Package validate judges pods in the words of the API server (kubernetes pkg/apis/core/validation).
package validate

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
)

// Pod says what the API server would (kubernetes pkg/apis/core/validation), in its words and order, of
// everything that one node can judge. It expects a defaulted pod.
func Pod(pod *corev1.Pod) field.ErrorList {
	spec, path := &pod.Spec, field.NewPath("spec")
	errs := validateMeta(&pod.ObjectMeta, field.NewPath("metadata"))
	errs = append(errs, validatePodAnnotations(pod, field.NewPath("metadata", "annotations"))...)
	errs = append(errs, validateMatchedKeys(pod)...)
	errs = append(errs, annotation.ValidateArmor(pod.Annotations, spec, field.NewPath("metadata", "annotations"), path)...)
	errs = append(errs, PodSpec(spec, path)...)
	errs = append(errs, Images(spec, path)...)
	if len(spec.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(path.Child("ephemeralContainers"), "cannot be set on create"))
	}
	if spec.NodeName != "" && len(spec.SchedulingGates) > 0 {
		errs = append(errs, field.Forbidden(path.Child("nodeName"), "cannot be set until all schedulingGates have been cleared"))
	}
	return errs
}

// Images checks the names of the containers' images, which the API server leaves to the kubelet.
func Images(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, list := range []struct {
		containers []corev1.Container
		name       string
	}{{spec.Containers, "containers"}, {spec.InitContainers, "initContainers"}} {
		for i := range list.containers {
			errs = append(errs, validateImage(list.containers[i].Image, path.Child(list.name).Index(i).Child("image"))...)
		}
	}
	return errs
}

// PodSpec judges the spec of a pod or of a template.
func PodSpec(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	c := containerRules{spec: spec, claims: claimNames(spec.ResourceClaims)}
	var errs field.ErrorList
	c.volumes, errs = validateVolumes(spec.Volumes, path.Child("volumes"))
	errs = append(errs, validateClaims(spec.ResourceClaims, path.Child("resourceClaims"))...)
	errs = append(errs, c.containers(path.Child("containers"))...)
	errs = append(errs, c.initContainers(path.Child("initContainers"))...)
	errs = append(errs, validatePodResources(spec, path.Child("resources"))...)
	errs = append(errs, validateHostPorts(spec, path.Child("containers"))...)
	errs = append(errs, OneOf(path.Child("restartPolicy"), spec.RestartPolicy,
		corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)...)
	errs = append(errs, OneOf(path.Child("dnsPolicy"), spec.DNSPolicy,
		corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone)...)
	errs = append(errs, Labels(spec.NodeSelector, path.Child("nodeSelector"))...)
	errs = append(errs, validatePodSecurity(spec, path)...)
	errs = append(errs, validateAffinity(spec.Affinity, path.Child("affinity"))...)
	errs = append(errs, validateDNSConfig(spec, path.Child("dnsConfig"))...)
	errs = append(errs, validateGates(spec, path)...)
	errs = append(errs, validateSpread(spec.TopologySpreadConstraints, path.Child("topologySpreadConstraints"))...)
	errs = append(errs, validateHostUsers(spec, path)...)
	errs = append(errs, validateNames(spec, path)...)
	if g := spec.TerminationGracePeriodSeconds; g != nil {
		errs = append(errs, NonNegative(*g, path.Child("terminationGracePeriodSeconds"))...)
	}
	if d := spec.ActiveDeadlineSeconds; d != nil && (*d < 1 || *d > math.MaxInt32) {
		errs = append(errs, field.Invalid(path.Child("activeDeadlineSeconds"), *d, validation.InclusiveRangeError(1, math.MaxInt32)))
	}
	errs = append(errs, Tolerations(spec.Tolerations, path.Child("tolerations"))...)
	errs = append(errs, validateHostAliases(spec.HostAliases, path.Child("hostAliases"))...)
	if p := spec.PreemptionPolicy; p != nil {
		errs = append(errs, OneOf(path.Child("preemptionPolicy"), *p, corev1.PreemptLowerPriority, corev1.PreemptNever)...)
	}
	errs = append(errs, validateAmounts(spec.Overhead, path.Child("overhead"), containerResourceName)...)
	if spec.OS != nil {
		errs = append(errs, OneOf(path.Child("os", "name"), spec.OS.Name, corev1.Linux, corev1.Windows)...)
	}
	return append(errs, validateFileVolumes(spec, path)...)
}

// validateNames checks the fields that are names and nothing else.
func validateNames(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	check := func(name, value string, rule func(string) []string) {
		if value != "" {
			errs = append(errs, Invalid(path.Child(name), value, rule(value))...)
		}
	}
	check("serviceAccountName", spec.ServiceAccountName, validation.IsDNS1123Subdomain)
	check("nodeName", spec.NodeName, validation.IsDNS1123Subdomain)
	check("hostname", spec.Hostname, validation.IsDNS1123Label)
	check("subdomain", spec.Subdomain, validation.IsDNS1123Label)
	check("priorityClassName", spec.PriorityClassName, validation.IsDNS1123Subdomain)
	if n := spec.RuntimeClassName; n != nil {
		errs = append(errs, Invalid(path.Child("runtimeClassName"), *n, validation.IsDNS1123Subdomain(*n))...)
	}
	if n := spec.HostnameOverride; n != nil {
		errs = append(errs, validateHostnameOverride(spec, *n, path)...)
	}
	return errs
}

// validateGates checks readiness gates and scheduling gates.
func validateGates(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, g := range spec.ReadinessGates {
		at := path.Child("readinessGates").Index(i).Child("conditionType")
		errs = append(errs, Invalid(at, string(g.ConditionType), validation.IsQualifiedName(string(g.ConditionType)))...)
	}
	seen := Seen{}
	for i, g := range spec.SchedulingGates {
		at := path.Child("schedulingGates").Index(i)
		errs = append(errs, Invalid(at, g.Name, validation.IsQualifiedName(g.Name))...)
		if seen.Add(g.Name) {
			errs = append(errs, field.Duplicate(at, g.Name))
		}
	}
	return errs
}
