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
