package manifest

import (
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

func TestNetworkPolicies(t *testing.T) {
	const head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: "
	for _, tt := range []struct{ spec, want string }{
		{"{podSelector: {}}", ""},
		{"{podSelector: {matchLabels: {a: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 1, endPort: 9}, {port: http, protocol: UDP}]}]}", ""},
		{"{podSelector: {}, policyTypes: [ingress]}", `spec.policyTypes[0]: Unsupported value: "ingress": supported values: "Ingress", "Egress"`},
		{"{podSelector: {}, policyTypes: [Ingress, Egress, Ingress]}", "may not specify more than two policyTypes"},
		{"{podSelector: {}, ingress: [{from: [{}]}]}", "spec.ingress[0].from[0]: Required value: must specify a peer"},
		{"{podSelector: {}, ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}", "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"},
		{"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}", `spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0.0": must be a valid CIDR value`},
		{"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}", "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`"},
		{"{podSelector: {}, egress: [{ports: [{port: 9, endPort: 1}]}]}", "spec.egress[0].ports[0].endPort: Invalid value: 1: must be greater than or equal to `port`"},
		{"{podSelector: {}, egress: [{ports: [{endPort: 1}]}]}", "spec.egress[0].ports[0].endPort: Invalid value: 1: may not be specified when `port` is not specified"},
		{"{podSelector: {}, egress: [{ports: [{port: x, endPort: 1}]}]}", "spec.egress[0].ports[0].endPort: Invalid value: 1: may not be specified when `port` is non-numeric"},
		{"{podSelector: {}, egress: [{ports: [{port: 70000}]}]}", "spec.egress[0].ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"},
		{"{podSelector: {}, egress: [{ports: [{protocol: ICMP}]}]}", `spec.egress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"`},
		{"{podSelector: {matchExpressions: [{key: a, operator: Is}]}}", "spec.podSelector.matchExpressions[0].operator"},
	} {
		objects, problems := Parse("f", []byte(head+tt.spec))
		if got := len(problems) == 0; got != (tt.want == "") || len(objects)+len(problems) != 1 {
			t.Errorf("%s: %v, want %q", tt.spec, problems, tt.want)
			continue
		}
		if tt.want != "" && !strings.Contains(problems[0].Message, tt.want) {
			t.Errorf("%s: %s, want %q", tt.spec, problems[0].Message, tt.want)
		}
	}
}

func TestNetworkPolicyDefaults(t *testing.T) {
	const text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}, egress: [{ports: [{port: 1}]}]}"
	objects, problems := Parse("f", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	spec := objects[0].Value.(*networkingv1.NetworkPolicy).Spec
	if len(spec.PolicyTypes) != 2 || *spec.Egress[0].Ports[0].Protocol != "TCP" {
		t.Errorf("%+v", spec)
	}
}
