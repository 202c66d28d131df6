package node

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestFits(t *testing.T) {
	labels := map[string]string{"kubernetes.io/arch": "arm64", "cores": "4"}
	term := func(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: op, Values: values}}}
	}
	name := corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"here"}}}}
	both := term("cores", corev1.NodeSelectorOpExists)
	both.MatchFields = name.MatchFields
	tests := []struct {
		name     string
		selector map[string]string
		terms    []corev1.NodeSelectorTerm
		want     bool
	}{
		{"nothing asked", nil, nil, true},
		{"selector", map[string]string{"kubernetes.io/arch": "arm64"}, nil, true},
		{"selector of another", map[string]string{"kubernetes.io/arch": "amd64"}, nil, false},
		{"selector of none", map[string]string{"site": ""}, nil, false},
		{"in", nil, []corev1.NodeSelectorTerm{term("kubernetes.io/arch", corev1.NodeSelectorOpIn, "amd64", "arm64")}, true},
		{"in, not there", nil, []corev1.NodeSelectorTerm{term("site", corev1.NodeSelectorOpIn, "roof")}, false},
		{"not in", nil, []corev1.NodeSelectorTerm{term("kubernetes.io/arch", corev1.NodeSelectorOpNotIn, "arm64")}, false},
		{"not in, not there", nil, []corev1.NodeSelectorTerm{term("site", corev1.NodeSelectorOpNotIn, "roof")}, true},
		{"does not exist", nil, []corev1.NodeSelectorTerm{term("site", corev1.NodeSelectorOpDoesNotExist)}, true},
		{"greater", nil, []corev1.NodeSelectorTerm{term("cores", corev1.NodeSelectorOpGt, "3")}, true},
		{"not greater", nil, []corev1.NodeSelectorTerm{term("cores", corev1.NodeSelectorOpGt, "4")}, false},
		{"less", nil, []corev1.NodeSelectorTerm{term("cores", corev1.NodeSelectorOpLt, "5")}, true},
		{"no number", nil, []corev1.NodeSelectorTerm{term("kubernetes.io/arch", corev1.NodeSelectorOpLt, "5")}, false},
		{"one of two terms", nil, []corev1.NodeSelectorTerm{term("site", corev1.NodeSelectorOpExists), name}, true},
		{"an empty term", nil, []corev1.NodeSelectorTerm{{}}, false},
		{"expression and field", nil, []corev1.NodeSelectorTerm{both}, true},
		{"selector and affinity", map[string]string{"site": "roof"}, []corev1.NodeSelectorTerm{name}, false},
	}
	for _, tt := range tests {
		spec := &corev1.PodSpec{NodeSelector: tt.selector}
		if tt.terms != nil {
			spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: tt.terms}}}
		}
		if got := Fits(spec, "here", labels); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// The rules of labels: In and NotIn, Exists and DoesNotExist are each other's opposites; Gt and Lt are for whole numbers on
// both sides. An operator that is not known matches nothing.
func TestRequirements(t *testing.T) {
	t.Parallel()
	values := []string{"", "a", "4", "-4", "04", "9223372036854775807", "9223372036854775808", "4.0", "4 "}
	is := func(op corev1.NodeSelectorOperator, labels map[string]string, values ...string) bool {
		return matchesRequirement(&corev1.NodeSelectorRequirement{Key: "k", Operator: op, Values: values}, labels)
	}
	for i := -1; i < len(values); i++ {
		labels := map[string]string{"other": "a"}
		if i >= 0 {
			labels["k"] = values[i]
		}
		for _, v := range values {
			if is(corev1.NodeSelectorOpIn, labels, v, "x") == is(corev1.NodeSelectorOpNotIn, labels, v, "x") {
				t.Errorf("%v is in [%q] and not in it", labels, v)
			}
			if is(corev1.NodeSelectorOpGt, labels, v) && is(corev1.NodeSelectorOpLt, labels, v) {
				t.Errorf("%v is more than %q and less", labels, v)
			}
		}
		if is(corev1.NodeSelectorOpExists, labels) == is(corev1.NodeSelectorOpDoesNotExist, labels) || is(corev1.NodeSelectorOpExists, labels) != (i >= 0) {
			t.Errorf("%v exists and does not", labels)
		}
		if is("Near", labels, "a") || is("", labels) {
			t.Errorf("%v matches an operator that does not exist", labels)
		}
	}
	for _, tc := range []struct {
		value, bound string
		gt, lt       bool
	}{
		{"4", "3", true, false},
		{"4", "4", false, false},
		{"4", "5", false, true},
		{"04", "3", true, false},
		{"-4", "-5", true, false},
		{"9223372036854775807", "9223372036854775806", true, false},
		{"9223372036854775808", "1", false, false},
		{"1", "9223372036854775808", false, false},
		{"4.5", "4", false, false},
		{"", "1", false, false},
		{"1", "", false, false},
	} {
		labels := map[string]string{"k": tc.value}
		if gt, lt := is(corev1.NodeSelectorOpGt, labels, tc.bound), is(corev1.NodeSelectorOpLt, labels, tc.bound); gt != tc.gt || lt != tc.lt {
			t.Errorf("%q and %q: more %t, less %t", tc.value, tc.bound, gt, lt)
		}
	}
	if is(corev1.NodeSelectorOpGt, nil, "1") || is(corev1.NodeSelectorOpLt, map[string]string{"k": "1"}) || is(corev1.NodeSelectorOpGt, map[string]string{"k": "5"}, "1", "2") {
		t.Error("something is compared with none or with two")
	}
}

// Of the affinities only what is required decides; a pod with none of its own fits everywhere.
func TestFitsWithoutRequirements(t *testing.T) {
	t.Parallel()
	preferred := []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "x", Operator: corev1.NodeSelectorOpExists}}}}}
	for name, tc := range map[string]struct {
		affinity *corev1.Affinity
		want     bool
	}{
		"none":             {nil, true},
		"of pods":          {&corev1.Affinity{PodAffinity: &corev1.PodAffinity{}}, true},
		"preferred":        {&corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferred}}, true},
		"no terms at all":  {&corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}, false},
		"an unknown field": {&corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.uid", Operator: corev1.NodeSelectorOpIn, Values: []string{"here"}}}}}}}}, false},
	} {
		if got := Fits(&corev1.PodSpec{Affinity: tc.affinity}, "here", nil); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
