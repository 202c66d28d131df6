package kinds

import "testing"

func TestStatefulSets(t *testing.T) {
	checkObjects(t, "StatefulSet", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: web}, spec: {serviceName: s, selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: 'x:1'}]}}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"a name of two parts", `{metadata: {name: a.b}}`, []string{`metadata.name: Invalid value: "a.b": must not contain dots`}},
		// the API server overlooks revisionHistoryLimit
		{
			"figures below zero", `{spec: {replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1, ordinals: {start: -1}}}`,
			[]string{
				`spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0`,
				`spec.replicas: Invalid value: -1: must be greater than or equal to 0`,
				`spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0`,
			},
		},
		{
			"no selector", `{spec: {selector: null}}`,
			[]string{
				`spec.selector: Required value`,
				"spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`",
			},
		},
		{"a selector of all", `{spec: {selector: {matchLabels: null}}}`, []string{`spec.selector: Invalid value: {}: empty selector is invalid for statefulset`}},
		{"a selector of others", `{spec: {selector: {matchLabels: {app: b}}}}`, []string{"spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`"}},
		{"another management", `{spec: {podManagementPolicy: Random}}`, []string{`spec.podManagementPolicy: Invalid value: "Random": must be 'OrderedReady' or 'Parallel'`}},
		{"Parallel", `{spec: {podManagementPolicy: Parallel}}`, nil},
		{"a Service that is none", `{spec: {serviceName: A.b}}`, []string{`spec.serviceName: Invalid value: "A.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`}},
		{"no Service", `{spec: {serviceName: ''}}`, nil},
		{"OnDelete", `{spec: {updateStrategy: {type: OnDelete}}}`, nil},
		{"OnDelete that rolls", `{spec: {updateStrategy: {type: OnDelete, rollingUpdate: {partition: 1}}}}`, []string{`spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy 'RollingUpdate'`}},
		{"a partition", `{spec: {updateStrategy: {rollingUpdate: {partition: 3}, type: RollingUpdate}}}`, nil},
		{"a partition below zero", `{spec: {updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: -1}}}}`, []string{`spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0`}},
		{"claims that are kept, and not", `{spec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}}}`, nil},
		{
			"claims of another end", `{spec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Recycle, whenScaled: Keep}}}`,
			[]string{
				`spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Recycle": supported values: "Retain", "Delete"`,
				`spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep": supported values: "Retain", "Delete"`,
			},
		},
		{
			"claims", `{spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1}}}}], template: {spec: {containers: [{name: c, image: 'x:1', volumeMounts: [{name: d, mountPath: /d}]}]}}}}`,
			nil,
		},
		{
			"claims without modes and a size", `{spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {}}]}}`,
			[]string{
				`spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required`,
				`spec.volumeClaimTemplates[0].spec.resources[storage]: Required value`,
			},
		},
		{
			"a claim in the place of a volume", `{spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1}}}}], template: {spec: {volumes: [{name: d, emptyDir: {}}], containers: [{name: c, image: 'x:1', volumeMounts: [{name: d, mountPath: /d}]}]}}}}`,
			nil,
		},
		{
			"pods that are not restarted", `{spec: {template: {spec: {restartPolicy: Never, activeDeadlineSeconds: 5}}}}`,
			[]string{
				`spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"`,
				`spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported`,
			},
		},
	})
}
