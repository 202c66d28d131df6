package kinds

import "testing"

func TestJobs(t *testing.T) {
	checkObjects(t, "Job", `{apiVersion: batch/v1, kind: Job, metadata: {name: job}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'x:1'}]}}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{
			"figures below zero", `{spec: {parallelism: -1, completions: -1, backoffLimit: -1, ttlSecondsAfterFinished: -1, activeDeadlineSeconds: -1}}`,
			[]string{
				`spec.parallelism: Invalid value: -1: must be greater than or equal to 0`,
				`spec.completions: Invalid value: -1: must be greater than or equal to 0`,
				`spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0`,
				`spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0`,
			},
		},
		{"figures of zero", `{spec: {parallelism: 0, completions: 0, backoffLimit: 0, ttlSecondsAfterFinished: 0, activeDeadlineSeconds: 0}}`, nil},
		{"pods that are always restarted", `{spec: {template: {spec: {restartPolicy: Always}}}}`, []string{`spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`}},
		{
			"pods of another policy", `{spec: {template: {spec: {restartPolicy: Sometimes}}}}`,
			[]string{
				`spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"`,
				`spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "OnFailure", "Never"`,
			},
		},
		// the API server has filled in its own labels when it says so
		{"a selector of its own", `{spec: {selector: {matchLabels: {a: b}}}}`, []string{"spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: `selector` not auto-generated"}},
		{"a selector that is to be its own", `{spec: {manualSelector: true, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}}}}`, nil},
		// the API server says that it does not match, too
		{"a selector that is to be its own and is not there", `{spec: {manualSelector: true}}`, []string{`spec.selector: Required value`}},
		{"a selector of others", `{spec: {manualSelector: true, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}}}}`, []string{"spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`"}},
		{"another mode", `{spec: {completionMode: Sorted, completions: 1}}`, []string{`spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"`}},
		{"indexed", `{spec: {completionMode: Indexed, completions: 3, parallelism: 100000}}`, nil},
		{"indexed without an end", `{spec: {completionMode: Indexed, parallelism: 1}}`, []string{`spec.completions: Required value: when completion mode is Indexed`}},
		{"indexed, too many at once", `{spec: {completionMode: Indexed, completions: 1, parallelism: 100001}}`, []string{`spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed`}},
		{"indexed, with a name of 62 letters", `{metadata: {name: jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj}, spec: {completionMode: Indexed, completions: 10}}`, []string{`metadata.name: Invalid value: "jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj": will not able to create pod with invalid DNS label: jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj-9`}},
		{
			"limits per index without indexes", `{spec: {backoffLimitPerIndex: 1, maxFailedIndexes: 1}}`,
			[]string{
				`spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode`,
				`spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode`,
			},
		},
		{"failed indexes without a limit", `{spec: {completionMode: Indexed, completions: 2, maxFailedIndexes: 1}}`, []string{`spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified`}},
		{"more failed indexes than there are", `{spec: {completionMode: Indexed, completions: 2, backoffLimitPerIndex: 0, maxFailedIndexes: 3}}`, []string{`spec.maxFailedIndexes: Invalid value: 3: must be less than or equal to completions`}},
		{"more than 100000 indexes", `{spec: {completionMode: Indexed, completions: 100001, backoffLimitPerIndex: 1}}`, []string{`spec.maxFailedIndexes: Required value: must be specified when completions is above 100000`}},
		{
			"more than 100000 indexes, many at once", `{spec: {completionMode: Indexed, completions: 100001, parallelism: 10001, backoffLimitPerIndex: 1, maxFailedIndexes: 10001}}`,
			[]string{
				`spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index`,
				`spec.maxFailedIndexes: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index`,
			},
		},
		{"more than 100000 indexes, as many as may be", `{spec: {completionMode: Indexed, completions: 100001, parallelism: 10000, backoffLimitPerIndex: 1, maxFailedIndexes: 10000}}`, nil},
		{"managed by another", `{spec: {managedBy: example.com/me}}`, nil},
		{"managed by nobody", `{spec: {managedBy: me}}`, []string{`spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")`}},
		{"managed by one of a long name", `{spec: {managedBy: example.com/mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm}}`, []string{`spec.managedBy: Too long: may not be more than 63 bytes`}},
		{"other replacement", `{spec: {podReplacementPolicy: Never}}`, []string{`spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"`}},
		{
			"a policy of failures", `{spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}, {action: FailJob, onExitCodes: {containerName: c, operator: In, values: [1, 42]}}, {action: Count, onExitCodes: {operator: NotIn, values: [0]}}]}}}`,
			nil,
		},
		{"a policy of failures, with restarts", `{spec: {podFailurePolicy: {rules: []}, template: {spec: {restartPolicy: OnFailure}}}}`, []string{`spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified`}},
		{"a policy of failures, another replacement", `{spec: {podReplacementPolicy: TerminatingOrFailed, podFailurePolicy: {rules: []}}}`, []string{`spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"`}},
		{
			"a rule that says nothing", `{spec: {podFailurePolicy: {rules: [{}]}}}`,
			[]string{
				`spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`,
				`spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
			},
		},
		{
			"a rule of another action, of both", `{spec: {podFailurePolicy: {rules: [{action: Stop, onExitCodes: {operator: In, values: [1]}, onPodConditions: [{type: A, status: 'True'}]}]}}}`,
			[]string{
				`spec.podFailurePolicy.rules[0].action: Unsupported value: "Stop": supported values: "Count", "FailIndex", "FailJob", "Ignore"`,
				`spec.podFailurePolicy.rules[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported`,
			},
		},
		{"a rule of indexes without them", `{spec: {podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [1]}}]}}}`, []string{`spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`}},
		{
			"exit codes of nobody", `{spec: {podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {containerName: d, operator: '', values: []}}]}}}`,
			[]string{
				`spec.podFailurePolicy.rules[0].onExitCodes.operator: Required value: valid values: ["In" "NotIn"]`,
				`spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "d": must be one of the container or initContainer names in the pod template`,
				`spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: []: at least one value is required`,
			},
		},
		{"exit codes of another operator", `{spec: {podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: Above, values: [1]}}]}}}`, []string{`spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: "Above": supported values: "In", "NotIn"`}},
		{
			"exit codes that are none", `{spec: {podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [0, 3, 2, 2]}}]}}}`,
			[]string{
				`spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator`,
				`spec.podFailurePolicy.rules[0].onExitCodes.values[3]: Duplicate value: 2`,
				`spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [0,3,2,2]: must be ordered`,
			},
		},
		{
			"conditions that are none", `{spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: 'a b', status: Maybe}]}]}}}`,
			[]string{
				`spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`spec.podFailurePolicy.rules[0].onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"`,
			},
		},
		{
			"21 rules", `{spec: {podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}, {action: Ignore, onExitCodes: {operator: In, values: [1]}}]}}}`,
			[]string{`spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items`},
		},
		{
			"21 conditions", `{spec: {podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}, {type: A, status: 'True'}]}]}}}`,
			[]string{`spec.podFailurePolicy.rules[0].onPodConditions: Too many: 21: must have at most 20 items`},
		},
		{"a policy of success", `{spec: {completionMode: Indexed, completions: 9, successPolicy: {rules: [{succeededIndexes: '0,2-4,8', succeededCount: 5}, {succeededCount: 9}]}}}`, nil},
		{"a policy of success without indexes", `{spec: {completions: 9, successPolicy: {rules: [{succeededCount: 1}]}}}`, []string{`spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode`}},
		{"a policy of success without rules", `{spec: {completionMode: Indexed, completions: 9, successPolicy: {rules: []}}}`, []string{`spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified`}},
		{"a policy of success that says nothing", `{spec: {completionMode: Indexed, completions: 9, successPolicy: {rules: [{}]}}}`, []string{`spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified`}},
		{
			"more successes than there are", `{spec: {completionMode: Indexed, completions: 9, successPolicy: {rules: [{succeededCount: 10}, {succeededCount: -1}, {succeededIndexes: '0-1', succeededCount: 3}]}}}`,
			[]string{
				`spec.successPolicy.rules[0].succeededCount: Invalid value: 10: must be less than or equal to 9 (the number of specified completions)`,
				`spec.successPolicy.rules[1].succeededCount: Invalid value: -1: must be greater than or equal to 0`,
				`spec.successPolicy.rules[2].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)`,
			},
		},
		{
			"indexes that are none", `{spec: {completionMode: Indexed, completions: 9, successPolicy: {rules: [{succeededIndexes: '9'}, {succeededIndexes: 1-1}, {succeededIndexes: '3,2'}, {succeededIndexes: a}, {succeededIndexes: '1,'}, {succeededIndexes: '-1'}, {succeededIndexes: 1-2-3}, {succeededIndexes: '99999999999'}]}}}`,
			[]string{
				`spec.successPolicy.rules[0].succeededIndexes: Invalid value: "9": error parsing succeededIndexes: too large index: "9"`,
				`spec.successPolicy.rules[1].succeededIndexes: Invalid value: "1-1": error parsing succeededIndexes: non-increasing order, previous: 1, current: 1`,
				`spec.successPolicy.rules[2].succeededIndexes: Invalid value: "3,2": error parsing succeededIndexes: non-increasing order, previous: 3, current: 2`,
				`spec.successPolicy.rules[3].succeededIndexes: Invalid value: "a": error parsing succeededIndexes: cannot convert string to integer for index: "a"`,
				`spec.successPolicy.rules[4].succeededIndexes: Invalid value: "1,": error parsing succeededIndexes: cannot convert string to integer for index: ""`,
				`spec.successPolicy.rules[5].succeededIndexes: Invalid value: "-1": error parsing succeededIndexes: cannot convert string to integer for index: ""`,
				`spec.successPolicy.rules[6].succeededIndexes: Invalid value: "1-2-3": error parsing succeededIndexes: the fragment "1-2-3" violates the requirement that an index interval can have at most two parts separated by '-'`,
				`spec.successPolicy.rules[7].succeededIndexes: Invalid value: "99999999999": error parsing succeededIndexes: too large index: "99999999999"`,
			},
		},
		{"no indexes", `{spec: {completionMode: Indexed, completions: 9, successPolicy: {rules: [{succeededIndexes: ''}]}}}`, nil},
	})
}
