package kinds

import "testing"

func TestDaemonSets(t *testing.T) {
	checkObjects(t, "DaemonSet", `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: 'x:1'}]}}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{
			"figures below zero", `{spec: {minReadySeconds: -1, revisionHistoryLimit: -1}}`,
			[]string{
				`spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0`,
			},
		},
		// the API server says only the second, in which nobody would look for a missing selector
		{
			"no selector", `{spec: {selector: null}}`,
			[]string{
				`spec.selector: Required value`,
				"spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`",
			},
		},
		{"a selector of all", `{spec: {selector: {matchLabels: null}}}`, []string{`spec.selector: Invalid value: {}: empty selector is invalid for daemonset`}},
		{"a selector of others", `{spec: {selector: {matchLabels: {app: b}}}}`, []string{"spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`"}},
		{"OnDelete", `{spec: {updateStrategy: {type: OnDelete}}}`, nil},
		{
			"pods that are not restarted", `{spec: {template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 1}}}}`,
			[]string{
				`spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"`,
				`spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported`,
			},
		},
		{"none may be missing, none too many", `{spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0}}}}`, []string{`spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`}},
		{"one more before one less", `{spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 10%}}}}`, nil},
		{"both at once", `{spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}}}`, []string{`spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero`}},
		{"more than all", `{spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 101%}}}}`, []string{`spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%`}},
		{"more than all at once", `{spec: {updateStrategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 101%}}}}`, []string{`spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: "101%": must not be greater than 100%`}},
	})
}
