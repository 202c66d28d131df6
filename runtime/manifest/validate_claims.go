package manifest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
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
	seen := seenSet{}
	for i, c := range claims {
		at := path.Index(i)
		switch {
		case c.Name == "":
			errs = append(errs, field.Required(at.Child("name"), ""))
		case seen.add(c.Name):
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		default:
			errs = append(errs, dnsLabel(c.Name, at.Child("name"))...)
		}
		name, template := c.ResourceClaimName, c.ResourceClaimTemplateName
		switch {
		case name != nil && template != nil:
			errs = append(errs, field.Invalid(at, c, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"))
		case name == nil && template == nil:
			errs = append(errs, field.Invalid(at, c, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
		}
		if name != nil {
			errs = append(errs, dnsSubdomain(*name, at.Child("resourceClaimName"))...)
		}
		if template != nil {
			errs = append(errs, dnsSubdomain(*template, at.Child("resourceClaimTemplateName"))...)
		}
	}
	return errs
}

// claimRefs checks that the claims of a container are claims of the pod.
func (r *containerRules) claimRefs(refs []corev1.ResourceClaim, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := seenSet{}
	for i, ref := range refs {
		at := path.Index(i)
		name := ref.Name
		if ref.Request != "" {
			name += "/" + ref.Request
		}
		switch {
		case ref.Name == "":
			errs = append(errs, field.Required(at.Child("name"), ""))
		case seen.add(name) || seen[ref.Name] && name != ref.Name:
			errs = append(errs, field.Duplicate(at, name))
		case !r.claims[ref.Name]:
			errs = append(errs, field.NotFound(at, name))
		}
	}
	return errs
}
