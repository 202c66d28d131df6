package kinds

import "testing"

func TestRuntimeClasses(t *testing.T) {
	checkObjects(t, "RuntimeClass", `{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: gpu}, handler: gpu}`, []objectRow{
		{"as it is", `{}`, nil},
		{"no handler", `{handler: ''}`, []string{`handler: Required value`}},
		{"a handler that is none", `{handler: A.b}`, []string{`handler: Invalid value: "A.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`}},
		{"overhead and scheduling", `{overhead: {podFixed: {cpu: 250m, memory: 64}}, scheduling: {nodeSelector: {a: b}, tolerations: [{key: a, operator: Exists}]}}`, nil},
		{
			"overhead and scheduling that are none", `{overhead: {podFixed: {cpu: -1}}, scheduling: {nodeSelector: {'a b': c}, tolerations: [{key: a, operator: Like}]}}`,
			[]string{
				`overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
				`scheduling.nodeSelector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`scheduling.tolerations[0].operator: Unsupported value: "Like": supported values: "Equal", "Exists"`,
			},
		},
	})
}
