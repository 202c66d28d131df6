package validate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Tolerations judges the tolerations of a pod or of a RuntimeClass.
func Tolerations(tolerations []corev1.Toleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, t := range tolerations {
		at := path.Index(i)
		if t.Key != "" {
			errs = append(errs, LabelName(t.Key, at.Child("key"))...)
		} else if t.Operator != corev1.TolerationOpExists {
			errs = append(errs, field.Invalid(at.Child("operator"), t.Operator,
				"operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			errs = append(errs, field.Invalid(at.Child("effect"), t.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
		}
		switch t.Operator {
		case corev1.TolerationOpEqual, "":
			if msgs := validation.IsValidLabelValue(t.Value); len(msgs) > 0 {
				errs = append(errs, field.Invalid(at.Child("operator"), t.Value, strings.Join(msgs, ";")))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				errs = append(errs, field.Invalid(at.Child("operator"), t.Value, "value must be empty when `operator` is 'Exists'"))
			}
		default:
			errs = append(errs, field.NotSupported(at.Child("operator"), t.Operator,
				[]corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
		}
		if t.Effect != "" {
			errs = append(errs, OneOf(at.Child("effect"), t.Effect,
				corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)...)
		}
	}
	return errs
}

func validateAffinity(a *corev1.Affinity, path *field.Path) field.ErrorList {
	if a == nil {
		return nil
	}
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	var errs field.ErrorList
	if n := a.NodeAffinity; n != nil {
		at := path.Child("nodeAffinity")
		errs = append(errs, ValidateNodeSelector(n.RequiredDuringSchedulingIgnoredDuringExecution, at.Child(required))...)
		for i, term := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			errs = append(errs, validateWeight(term.Weight, at.Child(preferred).Index(i))...)
			errs = append(errs, validateNodeTerm(&term.Preference, at.Child(preferred).Index(i).Child("preference"), false)...)
		}
	}
	if p := a.PodAffinity; p != nil {
		at := path.Child("podAffinity")
		errs = append(errs, validatePodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, at.Child(required))...)
		errs = append(errs, validateWeighted(p.PreferredDuringSchedulingIgnoredDuringExecution, at.Child(preferred))...)
	}
	if p := a.PodAntiAffinity; p != nil {
		at := path.Child("podAntiAffinity")
		errs = append(errs, validatePodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, at.Child(required))...)
		errs = append(errs, validateWeighted(p.PreferredDuringSchedulingIgnoredDuringExecution, at.Child(preferred))...)
	}
	return errs
}

func validateWeight(weight int32, path *field.Path) field.ErrorList {
	if weight <= 0 || weight > 100 {
		return field.ErrorList{field.Invalid(path.Child("weight"), weight, "must be in the range 1-100")}
	}
	return nil
}

func ValidateNodeSelector(s *corev1.NodeSelector, path *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	at := path.Child("nodeSelectorTerms")
	if len(s.NodeSelectorTerms) == 0 {
		return field.ErrorList{field.Required(at, "must have at least one node selector term")}
	}
	var errs field.ErrorList
	for i := range s.NodeSelectorTerms {
		errs = append(errs, validateNodeTerm(&s.NodeSelectorTerms[i], at.Index(i), true)...)
	}
	return errs
}

// validateNodeTerm checks a term of a node selector. Values of a preference may be anything: it can fail.
func validateNodeTerm(term *corev1.NodeSelectorTerm, path *field.Path, values bool) field.ErrorList {
	var errs field.ErrorList
	for i, r := range term.MatchExpressions {
		at := path.Child("matchExpressions").Index(i)
		errs = append(errs, validateOperator(string(r.Operator), len(r.Values), at, true)...)
		errs = append(errs, LabelName(r.Key, at.Child("key"))...)
		if values {
			errs = append(errs, validateLabelValues(r.Values, at.Child("values"))...)
		}
	}
	for i, r := range term.MatchFields {
		at := path.Child("matchFields").Index(i)
		switch r.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(r.Values) != 1 {
				errs = append(errs, field.Required(at.Child("values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
			}
		default:
			errs = append(errs, field.Invalid(at.Child("operator"), r.Operator, "not a valid selector operator"))
		}
		if r.Key != metav1.ObjectNameField {
			errs = append(errs, field.Invalid(at.Child("key"), r.Key, "not a valid field selector key"))
			continue
		}
		for j, v := range r.Values {
			errs = append(errs, DNSSubdomain(v, at.Child("values").Index(j))...)
		}
	}
	return errs
}

// validateOperator checks the operator of a label or node requirement against the number of its values.
func validateOperator(op string, values int, path *field.Path, ofNode bool) field.ErrorList {
	switch {
	case op == "In" || op == "NotIn":
		if values == 0 {
			return field.ErrorList{field.Required(path.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'")}
		}
	case op == "Exists" || op == "DoesNotExist":
		if values > 0 {
			return field.ErrorList{field.Forbidden(path.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")}
		}
	case ofNode && (op == "Gt" || op == "Lt"):
		if values != 1 {
			return field.ErrorList{field.Required(path.Child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'")}
		}
	case ofNode:
		return field.ErrorList{field.Invalid(path.Child("operator"), corev1.NodeSelectorOperator(op), "not a valid selector operator")}
	default:
		return field.ErrorList{field.Invalid(path.Child("operator"), metav1.LabelSelectorOperator(op), "not a valid selector operator")}
	}
	return nil
}

func validateLabelValues(values []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, v := range values {
		errs = append(errs, Invalid(path.Index(i), v, validation.IsValidLabelValue(v))...)
	}
	return errs
}

// LabelSelector judges a selector of labels.
func LabelSelector(s *metav1.LabelSelector, path *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	errs := Labels(s.MatchLabels, path.Child("matchLabels"))
	for i, r := range s.MatchExpressions {
		at := path.Child("matchExpressions").Index(i)
		errs = append(errs, validateOperator(string(r.Operator), len(r.Values), at, false)...)
		errs = append(errs, LabelName(r.Key, at.Child("key"))...)
		errs = append(errs, validateLabelValues(r.Values, at.Child("values"))...)
	}
	return errs
}

func validateWeighted(terms []corev1.WeightedPodAffinityTerm, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range terms {
		errs = append(errs, validateWeight(terms[i].Weight, path.Index(i))...)
		errs = append(errs, validatePodTerm(&terms[i].PodAffinityTerm, path.Index(i).Child("podAffinityTerm"))...)
	}
	return errs
}

func validatePodTerms(terms []corev1.PodAffinityTerm, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range terms {
		errs = append(errs, validatePodTerm(&terms[i], path.Index(i))...)
	}
	return errs
}

func validatePodTerm(t *corev1.PodAffinityTerm, path *field.Path) field.ErrorList {
	errs := LabelSelector(t.LabelSelector, path.Child("labelSelector"))
	errs = append(errs, LabelSelector(t.NamespaceSelector, path.Child("namespaceSelector"))...)
	for _, name := range t.Namespaces {
		errs = append(errs, DNSLabel(name, path.Child("namespace"))...)
	}
	for _, keys := range []struct {
		name string
		list []string
	}{{"matchLabelKeys", t.MatchLabelKeys}, {"mismatchLabelKeys", t.MismatchLabelKeys}} {
		errs = append(errs, validateLabelKeys(keys.list, t.LabelSelector, path.Child(keys.name))...)
	}
	for i, k := range t.MatchLabelKeys {
		for _, m := range t.MismatchLabelKeys {
			if k == m {
				errs = append(errs, field.Invalid(path.Child("matchLabelKeys").Index(i), k, "exists in both matchLabelKeys and mismatchLabelKeys"))
			}
		}
	}
	if t.TopologyKey == "" {
		errs = append(errs, field.Required(path.Child("topologyKey"), "can not be empty"))
	}
	return append(errs, LabelName(t.TopologyKey, path.Child("topologyKey"))...)
}

func validateLabelKeys(keys []string, s *metav1.LabelSelector, path *field.Path) field.ErrorList {
	if len(keys) > 0 && s == nil {
		return field.ErrorList{field.Forbidden(path, "must not be specified when labelSelector is not set")}
	}
	var errs field.ErrorList
	for i, k := range keys {
		errs = append(errs, LabelName(k, path.Index(i))...)
	}
	return errs
}

func validateSpread(constraints []corev1.TopologySpreadConstraint, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range constraints {
		c, at := &constraints[i], path.Index(i)
		if c.MaxSkew <= 0 {
			errs = append(errs, field.Invalid(at.Child("maxSkew"), c.MaxSkew, "must be greater than zero"))
		}
		if c.TopologyKey == "" {
			errs = append(errs, field.Required(at.Child("topologyKey"), "can not be empty"))
		}
		errs = append(errs, Supported(at.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)...)
		again := func(o corev1.TopologySpreadConstraint) bool {
			return o.TopologyKey == c.TopologyKey && o.WhenUnsatisfiable == c.WhenUnsatisfiable
		}
		if slices.ContainsFunc(constraints[i+1:], again) {
			errs = append(errs, field.Duplicate(at.Child("{topologyKey, whenUnsatisfiable}"), fmt.Sprintf("{%v, %v}", c.TopologyKey, c.WhenUnsatisfiable)))
		}
		if m := c.MinDomains; m != nil && *m <= 0 {
			errs = append(errs, field.Invalid(at.Child("minDomains"), *m, "must be greater than zero"))
		}
		if m := c.MinDomains; m != nil && c.WhenUnsatisfiable != corev1.DoNotSchedule {
			errs = append(errs, field.Invalid(at.Child("minDomains"), *m,
				fmt.Sprintf("can only use minDomains if whenUnsatisfiable=%s, not %s", corev1.DoNotSchedule, c.WhenUnsatisfiable)))
		}
		for _, p := range []struct {
			name   string
			policy *corev1.NodeInclusionPolicy
		}{{"nodeAffinityPolicy", c.NodeAffinityPolicy}, {"nodeTaintsPolicy", c.NodeTaintsPolicy}} {
			if p.policy != nil {
				errs = append(errs, Supported(at.Child(p.name), *p.policy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)...)
			}
		}
		errs = append(errs, validateLabelKeys(c.MatchLabelKeys, c.LabelSelector, at.Child("matchLabelKeys"))...)
		errs = append(errs, LabelSelector(c.LabelSelector, at.Child("labelSelector"))...)
	}
	return errs
}

// validateMatchedKeys refuses keys of matchLabelKeys that the selector has already. The API server puts the pod's own label into
// the selector before it looks.
func validateMatchedKeys(pod *corev1.Pod) field.ErrorList {
	a := pod.Spec.Affinity
	if a == nil {
		return nil
	}
	var errs field.ErrorList
	path := field.NewPath("spec", "affinity")
	of := func(hard []corev1.PodAffinityTerm, soft []corev1.WeightedPodAffinityTerm, path *field.Path) {
		for i := range hard {
			errs = append(errs, matchedTwice(&hard[i], pod.Labels, path.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i))...)
		}
		for i := range soft {
			at := path.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("podAffinityTerm")
			errs = append(errs, matchedTwice(&soft[i].PodAffinityTerm, pod.Labels, at)...)
		}
	}
	if p := a.PodAffinity; p != nil {
		of(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAffinity"))
	}
	if p := a.PodAntiAffinity; p != nil {
		of(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAntiAffinity"))
	}
	return errs
}

func matchedTwice(t *corev1.PodAffinityTerm, labels map[string]string, path *field.Path) field.ErrorList {
	if t.LabelSelector == nil {
		return nil
	}
	var errs field.ErrorList
	for i, key := range t.MatchLabelKeys {
		times := 0
		for _, m := range []map[string]string{t.LabelSelector.MatchLabels, labels} {
			if _, ok := m[key]; ok {
				times++
			}
		}
		for _, r := range t.LabelSelector.MatchExpressions {
			if r.Key == key {
				times++
			}
		}
		if times > 1 {
			errs = append(errs, field.Invalid(path.Index(i), key, "exists in both matchLabelKeys and labelSelector"))
		}
	}
	return errs
}
