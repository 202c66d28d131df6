package validate

import "testing"

// Metadata as apimachinery's ValidateObjectMeta has it.
func TestMeta(t *testing.T) {
	checkPods(t, []podRow{
		{"a name", `{}`, nil},
		{"capitals in the name", `{metadata: {name: Web}}`, []string{`metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{"a name of two labels", `{metadata: {name: web.a}}`, nil},
		{"a name that ends with a dash", `{metadata: {name: web-}}`, []string{`metadata.name: Invalid value: "web-": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{"a generated name may end with one", `{metadata: {name: web, generateName: web-}}`, nil},
		{"a generated name of a dash alone", `{metadata: {name: web, generateName: '-'}}`, []string{`metadata.generateName: Invalid value: "-": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{"a generated name with a blank", `{metadata: {name: web, generateName: 'we b-'}}`, []string{`metadata.generateName: Invalid value: "we b-": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{"a namespace with a dot", `{metadata: {name: p, namespace: a.b}}`, []string{`metadata.namespace: Invalid value: "a.b": must not contain dots`}},
		{"a namespace of 64 letters", `{metadata: {name: p, namespace: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}`, []string{`metadata.namespace: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be no more than 63 characters`}},
		{"a label's key with two slashes", `{metadata: {name: p, labels: {a/b/c: d}}}`, []string{`metadata.labels: Invalid value: "a/b/c": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`}},
		{"a label's key with an empty prefix", `{metadata: {name: p, labels: {/b: d}}}`, []string{`metadata.labels: Invalid value: "/b": prefix part must be non-empty`}},
		{"a label's key of 63 letters", `{metadata: {name: p, labels: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: d}}}`, nil},
		{"a label's key of 64 letters", `{metadata: {name: p, labels: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: d}}}`, []string{`metadata.labels: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": name part must be no more than 63 bytes`}},
		{"a label's value of 63 letters", `{metadata: {name: p, labels: {a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}}`, nil},
		{"a label's value of 64 letters", `{metadata: {name: p, labels: {a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}}`, []string{`metadata.labels: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be no more than 63 bytes`}},
		{"an empty label", `{metadata: {name: p, labels: {a: ''}}}`, nil},
		{"a label in Greek", `{metadata: {name: p, labels: {a: λ}}}`, []string{`metadata.labels: Invalid value: "λ": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`}},
		{"an annotation's key in capitals", `{metadata: {name: p, annotations: {EXAMPLE.com/Note: 'any text at all'}}}`, nil},
		{"an annotation's key with a blank", `{metadata: {name: p, annotations: {'a b': c}}}`, []string{`metadata.annotations: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`}},
		{
			`two labels, in order`, `{metadata: {name: p, labels: {'b b': x, 'a a': x}}}`,
			[]string{
				`metadata.labels: Invalid value: "a a": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`metadata.labels: Invalid value: "b b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			},
		},
		{
			`a finalizer without a domain`, `{metadata: {name: p, finalizers: [kubernetes, orphan, foregroundDeletion, mine]}}`,
			[]string{
				`metadata.finalizers: Invalid value: ["kubernetes","orphan","foregroundDeletion","mine"]: finalizer orphan and foregroundDeletion cannot be both set`,
				`metadata.finalizers[3]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`,
			},
		},
		{"a finalizer with a blank", `{metadata: {name: p, finalizers: ['a.b/c d']}}`, []string{`metadata.finalizers: Invalid value: "a.b/c d": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`}},
		{
			`an owner without anything`, `{metadata: {name: p, ownerReferences: [{apiVersion: '', kind: '', name: '', uid: ''}]}}`,
			[]string{
				`metadata.ownerReferences[0].apiVersion: Required value: must not be empty`,
				`metadata.ownerReferences[0].kind: Required value: must not be empty`,
				`metadata.ownerReferences[0].name: Required value: must not be empty`,
				`metadata.ownerReferences[0].uid: Required value: must not be empty`,
			},
		},
		{"an owner of three parts", `{metadata: {name: p, ownerReferences: [{apiVersion: a/b/c, kind: K, name: node, uid: u}]}}`, []string{`metadata.ownerReferences[0].apiVersion: Invalid value: "a/b/c": must be <group>/<version> or <version>`}},
		{"owners of an empty group, and an event", `{metadata: {name: p, ownerReferences: [{apiVersion: a/, kind: K, name: m, uid: u}]}}`, []string{`metadata.ownerReferences[0].apiVersion: Invalid value: "a/": must be <group>/<version> or <version>`}},
		{"managed fields without a word", `{metadata: {name: p, managedFields: [{operation: '', fieldsType: FieldsV1}]}}`, []string{`metadata.managedFields[0].operation: Required value: must not be empty`}},
		{
			`a controller and another owner`, `{metadata: {name: p, ownerReferences: [{apiVersion: v1, kind: K, name: node, uid: u, controller: true}, {apiVersion: v1, kind: K, name: m, uid: v, controller: false}]}}`,
			nil,
		},
		{"managed fields of another form", `{metadata: {name: p, managedFields: [{operation: Apply, fieldsType: FieldsV2}]}}`, []string{"metadata.managedFields[0].fieldsType: Invalid value: \"FieldsV2\": must be `FieldsV1`"}},
		{"a mirror of a node's pod", `{metadata: {name: p, annotations: {kubernetes.io/config.mirror: x}}, spec: {nodeName: node}}`, nil},
		{"a cost with zeros before it", `{metadata: {name: p, annotations: {controller.kubernetes.io/pod-deletion-cost: '007'}}}`, []string{`metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "007": must be a 32bit integer`}},
		{"a cost of zero", `{metadata: {name: p, annotations: {controller.kubernetes.io/pod-deletion-cost: '0'}}}`, nil},
		{"the highest cost", `{metadata: {name: p, annotations: {controller.kubernetes.io/pod-deletion-cost: '2147483647'}}}`, nil},
		{"one more than the highest cost", `{metadata: {name: p, annotations: {controller.kubernetes.io/pod-deletion-cost: '2147483648'}}}`, []string{`metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "2147483648": must be a 32bit integer`}},
		{"an empty cost", `{metadata: {name: p, annotations: {controller.kubernetes.io/pod-deletion-cost: ''}}}`, []string{`metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "": must be a 32bit integer`}},
	})
}
