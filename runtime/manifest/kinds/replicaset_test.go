package kinds

import "testing"

func TestReplicaSets(t *testing.T) {
	checkObjects(t, "ReplicaSet", `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web}, spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: 'x:1'}]}}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{
			"figures below zero", `{spec: {replicas: -2, minReadySeconds: -3}}`,
			[]string{
				`spec.replicas: Invalid value: -2: must be greater than or equal to 0`,
				`spec.minReadySeconds: Invalid value: -3: must be greater than or equal to 0`,
			},
		},
		{
			"no selector", `{spec: {selector: null}}`,
			[]string{
				`spec.selector: Required value`,
				"spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`",
			},
		},
		{"a selector of all", `{spec: {selector: {matchLabels: null}}}`, []string{`spec.selector: Invalid value: {}: empty selector is invalid for deployment`}},
		{"a selector of others", `{spec: {selector: {matchLabels: {app: b}}}}`, []string{"spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`"}},
		{
			"pods that are not restarted", `{spec: {template: {spec: {restartPolicy: OnFailure, activeDeadlineSeconds: 5}}}}`,
			[]string{
				`spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"`,
				`spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported`,
			},
		},
		{"pods with a label that is none", `{spec: {template: {metadata: {labels: {'a b': c}}}}}`, []string{`spec.template.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`}},
	})
}
