package kinds

import "testing"

func TestDeployments(t *testing.T) {
	checkObjects(t, "Deployment", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: 'x:1'}]}}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"a name with two parts", `{metadata: {name: a.b}}`, nil},
		{"a name in capitals", `{metadata: {name: Web}}`, []string{`metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{
			"replicas below zero", `{spec: {replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1, progressDeadlineSeconds: -1}}`,
			[]string{
				`spec.replicas: Invalid value: -1: must be greater than or equal to 0`,
				`spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0`,
				`spec.progressDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.progressDeadlineSeconds: Invalid value: -1: must be greater than minReadySeconds`,
			},
		},
		{"no replicas", `{spec: {replicas: 0, revisionHistoryLimit: 0}}`, nil},
		{"a deadline no later than it is ready", `{spec: {minReadySeconds: 600}}`, []string{`spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds`}},
		{"a deadline right after it is ready", `{spec: {minReadySeconds: 599}}`, nil},
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
			"a selector that is none", `{spec: {selector: {matchExpressions: [{key: app, operator: Is}]}}}`,
			[]string{
				`spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator`,
				`spec.selector: Invalid value: {"matchLabels":{"app":"a"},"matchExpressions":[{"key":"app","operator":"Is"}]}: invalid label selector`,
			},
		},
		{
			"pods that are not restarted", `{spec: {template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 5}}}}`,
			[]string{
				`spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"`,
				`spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported`,
			},
		},
		{"pods with ephemeral containers", `{spec: {template: {spec: {ephemeralContainers: [{name: e, image: x, imagePullPolicy: Always, terminationMessagePolicy: File}]}}}}`, []string{`spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template`}},
		{"pods without containers", `{spec: {template: {spec: {containers: null}}}}`, []string{`spec.template.spec.containers: Required value: write at least one container`}},
		{"Recreate", `{spec: {strategy: {type: Recreate}}}`, nil},
		{"Recreate that rolls", `{spec: {strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}}}`, []string{"spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"}},
		{"none may be missing, none too many", `{spec: {strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0%}}}}`, []string{"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"}},
		{"none may be missing", `{spec: {strategy: {rollingUpdate: {maxUnavailable: 0%, maxSurge: 1}}}}`, nil},
		{"more than all may be missing", `{spec: {strategy: {rollingUpdate: {maxUnavailable: 101%, maxSurge: 250%}}}}`, []string{`spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%`}},
		{"all may be missing", `{spec: {strategy: {rollingUpdate: {maxUnavailable: 100%}}}}`, nil},
		{
			"shares that are none", `{spec: {strategy: {rollingUpdate: {maxUnavailable: half, maxSurge: -1}}}}`,
			[]string{
				`spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "half": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`,
				`spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0`,
			},
		},
	})
}
