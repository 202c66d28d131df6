package kinds

import "testing"

func TestNetworkPolicies(t *testing.T) {
	checkObjects(t, "NetworkPolicy", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: allow}, spec: {podSelector: {}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"all and nothing", `{spec: {policyTypes: [Ingress, Egress], ingress: [{}], egress: []}}`, nil},
		{"a selector that is none", `{spec: {podSelector: {matchLabels: {'a b': c}}}}`, []string{`spec.podSelector.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`}},
		{"another type", `{spec: {policyTypes: [Sideways]}}`, []string{`spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"`}},
		{"three types", `{spec: {policyTypes: [Ingress, Egress, Ingress]}}`, []string{`spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes`}},
		{"peers", `{spec: {ingress: [{from: [{podSelector: {}}, {namespaceSelector: {}, podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]}}`, nil},
		{"a peer of nobody", `{spec: {ingress: [{from: [{}]}]}}`, []string{`spec.ingress[0].from[0]: Required value: must specify a peer`}},
		{"a peer of two kinds", `{spec: {egress: [{to: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}}`, []string{`spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer`}},
		{
			"blocks that are none", `{spec: {ingress: [{from: [{ipBlock: {cidr: ''}}, {ipBlock: {cidr: 10.0.0.1}}, {ipBlock: {cidr: 10.0.0.0/33}}]}]}}`,
			[]string{
				`spec.ingress[0].from[1].ipBlock.cidr: Invalid value: "10.0.0.1": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
				`spec.ingress[0].from[2].ipBlock.cidr: Invalid value: "10.0.0.0/33": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
				`spec.ingress[0].from[0].ipBlock.cidr: Required value`,
			},
		},
		{
			"an exception that is none, one outside, and all", `{spec: {ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [a, 11.0.0.0/16, 10.0.0.0/8]}}]}]}}`,
			[]string{
				`spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "a": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
				"spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`",
				"spec.ingress[0].from[0].ipBlock.except[2]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
			},
		},
		{"ports", `{spec: {ingress: [{ports: [{port: 80}, {port: web, protocol: UDP}, {port: 80, endPort: 90}]}]}}`, nil},
		{
			"ports that are none", `{spec: {egress: [{ports: [{port: 0}, {port: 80, protocol: tcp}, {port: a_b}]}]}}`,
			[]string{
				`spec.egress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`spec.egress[0].ports[1].protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "SCTP"`,
				`spec.egress[0].ports[2].port: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
			},
		},
		{"a range that goes back", `{spec: {ingress: [{ports: [{port: 80, endPort: 79}]}]}}`, []string{"spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`"}},
		{
			"a range of a name, and of none", `{spec: {ingress: [{ports: [{port: web, endPort: 90}, {endPort: 90}]}]}}`,
			[]string{
				"spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric",
				"spec.ingress[0].ports[1].endPort: Invalid value: 90: may not be specified when `port` is not specified",
			},
		},
		{"a range that ends nowhere", `{spec: {ingress: [{ports: [{port: 80, endPort: 65536}]}]}}`, []string{`spec.ingress[0].ports[0].endPort: Invalid value: 65536: must be between 1 and 65535, inclusive`}},
	})
}
