package validate

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/resources"
)

func claimNames(claims []corev1.PodResourceClaim) map[string]bool {
	names := map[string]bool{}
	for _, c := range claims {
		names[c.Name] = c.Name != ""
	}
	return names
}

func validateClaims(claims []corev1.PodResourceClaim, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := Seen{}
	for i, c := range claims {
		at := path.Index(i)
		switch {
		case c.Name == "":
			errs = append(errs, field.Required(at.Child("name"), ""))
		case seen.Add(c.Name):
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		default:
			errs = append(errs, DNSLabel(c.Name, at.Child("name"))...)
		}
		name, template := c.ResourceClaimName, c.ResourceClaimTemplateName
		switch {
		case name != nil && template != nil:
			errs = append(errs, field.Invalid(at, c, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"))
		case name == nil && template == nil:
			errs = append(errs, field.Invalid(at, c, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
		}
		if name != nil {
			errs = append(errs, DNSSubdomain(*name, at.Child("resourceClaimName"))...)
		}
		if template != nil {
			errs = append(errs, DNSSubdomain(*template, at.Child("resourceClaimTemplateName"))...)
		}
	}
	return errs
}

// claimRefs checks that the claims of a container are claims of the pod.
func (r *containerRules) claimRefs(refs []corev1.ResourceClaim, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := Seen{}
	for i, ref := range refs {
		at := path.Index(i)
		name := ref.Name
		if ref.Request != "" {
			name += "/" + ref.Request
		}
		switch {
		case ref.Name == "":
			errs = append(errs, field.Required(at.Child("name"), ""))
		case seen.Add(name) || seen[ref.Name] && name != ref.Name:
			errs = append(errs, field.Duplicate(at, name))
		case !r.claims[ref.Name]:
			errs = append(errs, field.NotFound(at, name))
		}
	}
	return errs
}

// resourceNameRule says what is wrong with the name of a resource.
type resourceNameRule func(name corev1.ResourceName, path *field.Path) field.ErrorList

func validateResources(r *corev1.ResourceRequirements, path *field.Path, rule resourceNameRule) field.ErrorList {
	limits, requests := path.Child("limits"), path.Child("requests")
	errs := validateAmounts(r.Limits, limits, rule)
	errs = append(errs, validateMemory(r.Limits, limits)...)
	errs = append(errs, validateCPU(r.Limits, limits)...)
	errs = append(errs, validateAmounts(r.Requests, requests, rule)...)
	errs = append(errs, validateCPU(r.Requests, requests)...)
	for _, name := range resources.SortedNames(r.Requests) {
		q := r.Requests[name]
		limit, limited := r.Limits[name]
		switch {
		case !limited && !overcommits(name):
			errs = append(errs, field.Required(limits, "Limit must be set for non overcommitable resources"))
		case limited && !overcommits(name) && q.Cmp(limit) != 0:
			errs = append(errs, field.Invalid(requests, q.String(), fmt.Sprintf("must be equal to %s limit of %s", name, limit.String())))
		case limited && q.Cmp(limit) > 0:
			errs = append(errs, field.Invalid(requests, q.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String())))
		}
	}
	if (hasHugePages(r.Limits) || hasHugePages(r.Requests)) && !hasCompute(r.Limits) && !hasCompute(r.Requests) {
		errs = append(errs, field.Forbidden(path, "HugePages require cpu or memory"))
	}
	return errs
}

// Overhead judges what a RuntimeClass adds to its pods, as the API server does: like limits of a container, without what podd
// has against amounts that no container can start with.
func Overhead(list corev1.ResourceList, path *field.Path) field.ErrorList {
	errs := validateAmounts(list, path.Child("limits"), containerResourceName)
	if hasHugePages(list) && !hasCompute(list) {
		errs = append(errs, field.Forbidden(path, "HugePages require cpu or memory"))
	}
	return errs
}

// leastMemory is less than any container can start with. The API server takes less, which is always a slip of the suffix.
const leastMemory = 1 << 20

func validateMemory(limits corev1.ResourceList, path *field.Path) field.ErrorList {
	q, limited := limits[corev1.ResourceMemory]
	if !limited || q.Sign() <= 0 || q.CmpInt64(leastMemory) >= 0 {
		return nil
	}
	text := q.String()
	number := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	return field.ErrorList{field.Invalid(path.Key(string(corev1.ResourceMemory)), text, fmt.Sprintf(
		"no container can start with less than 1Mi; %s means %s bytes, write %sMi",
		text, strconv.FormatFloat(q.AsApproximateFloat64(), 'f', -1, 64), number))}
}

// mostCPU is what Linux can be built for, CONFIG_NR_CPUS. The API server takes more, which is always a slip of the suffix.
const mostCPU = 8192

func validateCPU(list corev1.ResourceList, path *field.Path) field.ErrorList {
	q := list[corev1.ResourceCPU]
	if q.CmpInt64(mostCPU) <= 0 {
		return nil
	}
	text := q.String()
	number := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	return field.ErrorList{field.Invalid(path.Key(string(corev1.ResourceCPU)), text, fmt.Sprintf(
		"no machine has more than %d CPUs; %s means %s of them, write %sm (thousandths)",
		mostCPU, text, strconv.FormatFloat(q.AsApproximateFloat64(), 'f', -1, 64), number))}
}

func validateAmounts(list corev1.ResourceList, path *field.Path, rule resourceNameRule) field.ErrorList {
	var errs field.ErrorList
	for _, name := range resources.SortedNames(list) {
		q, at := list[name], path.Key(string(name))
		errs = append(errs, rule(name, at)...)
		if q.Sign() < 0 {
			errs = append(errs, field.Invalid(at, q.String(), "must be greater than or equal to 0"))
		}
		if isWhole(name) && q.MilliValue()%1000 != 0 {
			errs = append(errs, field.Invalid(at, q, "must be an integer"))
		}
		if resources.IsHugePages(name) {
			errs = append(errs, validateHugePages(name, q, at)...)
		}
	}
	return errs
}

func validateHugePages(name corev1.ResourceName, q resource.Quantity, path *field.Path) field.ErrorList {
	size, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(path, q.String(), err.Error())}
	case size.Sign() > 0 && q.Value()%size.Value() != 0:
		return field.ErrorList{field.Invalid(path, q.String(), fmt.Sprintf("%s is not positive integer multiple of %s", q.String(), name))}
	}
	return nil
}

// resourceName checks what the names of all resources have in common.
func resourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	if errs := Invalid(path, name, validation.IsQualifiedName(string(name))); len(errs) > 0 {
		return errs
	}
	if !strings.Contains(string(name), "/") && !isStandard(name) {
		return field.ErrorList{field.Invalid(path, name, "must be a standard resource type or fully qualified")}
	}
	return nil
}

func containerResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	errs := resourceName(name, path)
	prefix, base, qualified := strings.Cut(string(name), "/")
	switch {
	case !qualified && !ofContainers(name):
		errs = append(errs, field.Invalid(path, name, "must be a standard resource for containers"))
	case qualified && !strings.Contains(prefix, "kubernetes.io") &&
		(strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) || len(validation.IsQualifiedName("requests."+prefix+"/"+base)) > 0):
		errs = append(errs, field.Invalid(path, name, "doesn't follow extended resource name standard"))
	}
	return errs
}

func podResourceName(name corev1.ResourceName, path *field.Path) field.ErrorList {
	if errs := resourceName(name, path); len(errs) > 0 {
		return errs
	}
	if !resources.IsPodLevel(name) {
		return field.ErrorList{field.NotSupported(path, name, []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceHugePagesPrefix, corev1.ResourceMemory})}
	}
	return nil
}

// isStandard knows the unqualified names that the API defines, also those of quotas.
func isStandard(name corev1.ResourceName) bool {
	switch name {
	case "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
		"pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
		"services.nodeports", "services.loadbalancers", "requests.storage", corev1.ResourceStorage:
		return true
	}
	return ofContainers(name) || resources.IsHugePages(corev1.ResourceName(strings.TrimPrefix(string(name), corev1.DefaultResourceRequestsPrefix)))
}

func ofContainers(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return true
	}
	return resources.IsHugePages(name)
}

// overcommits tells whether a container may be limited to more than it requests.
func overcommits(name corev1.ResourceName) bool {
	prefix, _, qualified := strings.Cut(string(name), "/")
	return (!qualified || strings.Contains(prefix, "kubernetes.io")) && !resources.IsHugePages(name)
}

// isWhole tells whether a resource is counted in units, as extended resources are.
func isWhole(name corev1.ResourceName) bool {
	prefix, _, qualified := strings.Cut(string(name), "/")
	return qualified && !strings.Contains(prefix, "kubernetes.io")
}

func hasHugePages(list corev1.ResourceList) bool {
	for name := range list {
		if resources.IsHugePages(name) {
			return true
		}
	}
	return false
}

func hasCompute(list corev1.ResourceList) bool {
	_, cpu := list[corev1.ResourceCPU]
	_, memory := list[corev1.ResourceMemory]
	return cpu || memory
}

// validatePodResources checks spec.resources against itself and the containers (KEP-2837).
func validatePodResources(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	r := spec.Resources
	if r == nil {
		return nil
	}
	var errs field.ErrorList
	if r.Claims != nil {
		errs = append(errs, field.Forbidden(path.Child("claims"), "claims may not be set for Resources at pod-level"))
	}
	errs = append(errs, validateResources(r, path, podResourceName)...)
	sums := resources.Aggregate(spec, resources.RequestsOf)
	for _, name := range resources.SortedNames(sums) {
		sum := sums[name]
		if have, requested := r.Requests[name]; requested && sum.Cmp(have) > 0 {
			errs = append(errs, field.Invalid(path.Child("requests").Key(string(name)), have.String(),
				"must be greater than or equal to aggregate container requests of "+sum.String()))
		}
	}
	for i := range spec.Containers {
		limits := spec.Containers[i].Resources.Limits
		for _, name := range resources.SortedNames(limits) {
			limit, most := limits[name], r.Limits[name]
			if _, ok := r.Limits[name]; ok && limit.Cmp(most) > 0 {
				errs = append(errs, field.Invalid(path.Child("containers").Index(i).Key(string(name)).Child("limits"), limit.String(),
					"must be less than or equal to pod limits of "+most.String()))
			}
		}
	}
	return errs
}
