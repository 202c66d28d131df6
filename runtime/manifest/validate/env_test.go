package validate

import "testing"

// Variables and where their values are from.
func TestEnv(t *testing.T) {
	checkPods(t, []podRow{
		{"a name with a dash and a dot", `{container: {name: c, image: x, env: [{name: a-b.c, value: x}]}}`, nil},
		{"a name with an equals sign", `{container: {name: c, image: x, env: [{name: a=b}]}}`, []string{`spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='`}},
		{"a name in Greek", `{container: {name: c, image: x, env: [{name: λ}]}}`, []string{`spec.containers[0].env[0].name: Invalid value: "λ": a valid environment variable name must consist only of printable ASCII characters other than '='`}},
		{"no name", `{container: {name: c, image: x, env: [{value: x}]}}`, []string{`spec.containers[0].env[0].name: Required value`}},
		{
			`one of each source`, `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}, {name: C, valueFrom: {configMapKeyRef: {name: a, key: b}}}, {name: D, valueFrom: {secretKeyRef: {name: a, key: b}}}]}}`,
			nil,
		},
		{"a source that says nothing", `{container: {name: c, image: x, env: [{name: A, valueFrom: {}}]}}`, []string{"spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"}},
		{"a divisor of what is none", `{container: {name: c, image: x, env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.gpu, divisor: 3}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"`}},
		{
			`a file without a volume`, `{container: {name: c, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: '', path: a, key: K}}}]}}`,
			[]string{
				`spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Required value`,
				`spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: ""`,
			},
		},
		{"a value and a source", `{container: {name: c, image: x, env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}}`, []string{"spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"}},
		{"two sources", `{container: {name: c, image: x, env: [{name: A, valueFrom: {configMapKeyRef: {name: a, key: b}, secretKeyRef: {name: a, key: b}}}]}}`, []string{`spec.containers[0].env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time`}},
		{"a key that is missing", `{container: {name: c, image: x, env: [{name: A, valueFrom: {configMapKeyRef: {name: a, key: ''}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Required value`}},
		{"a key that leads up", `{container: {name: c, image: x, env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: ..}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.secretKeyRef.key: Invalid value: "..": must not be '..'`}},
		{"a key with a slash", `{container: {name: c, image: x, env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: b/c}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.secretKeyRef.key: Invalid value: "b/c": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`}},
		{"a config map's name with a blank", `{container: {name: c, image: x, env: [{name: A, valueFrom: {configMapKeyRef: {name: 'a b', key: b}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.configMapKeyRef.name: Invalid value: "a b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{
			`a label of the pod`, `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: "metadata.labels['a.b/c']"}}}, {name: B, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['A']"}}}]}}`,
			nil,
		},
		{
			`a label with a bad key`, `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: "metadata.labels['a b']"}}}, {name: B, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['a b']"}}}]}}`,
			[]string{
				`spec.containers[0].env[0].valueFrom.fieldRef: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`spec.containers[0].env[1].valueFrom.fieldRef: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			},
		},
		{"all labels", `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`}},
		{"a field that is none", `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.hostname}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.hostname": error converting fieldPath: field label not supported: spec.hostname`}},
		{"a field of the API that no variable has", `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.phase}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`}},
		{"a key of a field that has none", `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: "spec.nodeName['a']"}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nodeName['a']": error converting fieldPath: field label does not support subscript: spec.nodeName['a']`}},
		{"an empty field", `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: ''}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Required value`}},
		{"a field of another version", `{container: {name: c, image: x, env: [{name: A, valueFrom: {fieldRef: {apiVersion: v2, fieldPath: metadata.name}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.name": error converting fieldPath: unsupported pod version: v2`}},
		{"a resource that is none", `{container: {name: c, image: x, env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.gpu}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"`}},
		{"a resource that is not named", `{container: {name: c, image: x, env: [{name: A, valueFrom: {resourceFieldRef: {resource: ''}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Required value`}},
		{
			`divisors`, `{container: {name: c, image: x, env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}, {name: B, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Ei}}}, {name: C, valueFrom: {resourceFieldRef: {resource: limits.hugepages-2Mi, divisor: 1Mi}}}]}}`,
			nil,
		},
		{
			`divisors of other units`, `{container: {name: c, image: x, env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1k}}}, {name: B, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1m}}}, {name: C, valueFrom: {resourceFieldRef: {resource: limits.ephemeral-storage, divisor: 2Mi}}}, {name: D, valueFrom: {resourceFieldRef: {resource: limits.hugepages-2Mi, divisor: 10m}}}]}}`,
			[]string{
				`spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
				`spec.containers[0].env[1].valueFrom.resourceFieldRef.divisor: Invalid value: "requests.memory": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource`,
				`spec.containers[0].env[2].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.ephemeral-storage": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the local ephemeral storage resource`,
				`spec.containers[0].env[3].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.hugepages-2Mi": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the hugepages resource`,
			},
		},
		{"all of a config map and of a secret", `{container: {name: c, image: x, envFrom: [{prefix: P_, configMapRef: {name: a}}, {secretRef: {name: b.c}}]}}`, nil},
		{"all of nothing", `{container: {name: c, image: x, envFrom: [{prefix: a}]}}`, []string{"spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"}},
		{"all of both at once", `{container: {name: c, image: x, envFrom: [{configMapRef: {name: a}, secretRef: {name: b}}]}}`, []string{`spec.containers[0].envFrom: Invalid value: "": may not have more than one field specified at a time`}},
		{
			`all of what has no name`, `{container: {name: c, image: x, envFrom: [{configMapRef: {}}, {secretRef: {}}]}}`,
			[]string{
				`spec.containers[0].envFrom[0].configMapRef.name: Required value`,
				`spec.containers[0].envFrom[1].secretRef.name: Required value`,
			},
		},
		{
			`all of a bad name, with a bad prefix`, `{container: {name: c, image: x, envFrom: [{prefix: 'a=', configMapRef: {name: A}}]}}`,
			[]string{
				`spec.containers[0].envFrom[0].prefix: Invalid value: "a=": a valid environment variable name must consist only of printable ASCII characters other than '='`,
				`spec.containers[0].envFrom[0].configMapRef.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			},
		},
		{
			`a file`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: a/b, key: K}}}]}}`,
			nil,
		},
		{"a file of no volume", `{container: {name: c, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: a, key: K}}}]}}`, []string{`spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "v"`}},
		{
			`a file of the host`, `{spec: {volumes: [{name: v, hostPath: {path: /etc}}]}, container: {name: c, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: a, key: K}}}]}}`,
			[]string{`spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Invalid value: "v": referenced volume must be of type emptyDir`},
		},
		{"a file of an init container", `{spec: {initContainers: [{name: i, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: w, path: a, key: K}}}]}]}}`, []string{`spec.initContainers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "w"`}},
		{
			`a file that is not said`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: '', key: ''}}}]}}`,
			[]string{
				`spec.containers[0].env[0].valueFrom.fileKeyRef.key: Required value`,
				`spec.containers[0].env[0].valueFrom.fileKeyRef.path: Required value`,
			},
		},
		{
			`a file outside of its volume`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: a/../../b, key: K}}}]}}`,
			[]string{`spec.containers[0].env[0].valueFrom.fileKeyRef.path: Invalid value: "a/../../b": must not contain '..'`},
		},
		{
			`a file's key with an equals sign`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: a, key: 'K='}}}]}}`,
			[]string{`spec.containers[0].env[0].valueFrom.fileKeyRef.key: Invalid value: "K=": a valid environment variable name must consist only of printable ASCII characters other than '='`},
		},
	})
}
