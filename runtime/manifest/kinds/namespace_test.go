package kinds

import "testing"

func TestNamespaces(t *testing.T) {
	checkObjects(t, "Namespace", `{apiVersion: v1, kind: Namespace, metadata: {name: media}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"a name of two parts", `{metadata: {name: a.b}}`, []string{`metadata.name: Invalid value: "a.b": must not contain dots`}},
		{"finalizers", `{spec: {finalizers: [kubernetes, orphan, a.b/c]}}`, nil},
		{
			"finalizers that are none", `{spec: {finalizers: [mine, 'a b']}}`,
			[]string{
				`spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`,
				`spec.finalizers: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`spec.finalizers: Invalid value: "a b": name is neither a standard finalizer name nor is it fully qualified`,
			},
		},
	})
}
