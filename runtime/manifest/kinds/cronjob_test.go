package kinds

import "testing"

func TestCronJobs(t *testing.T) {
	checkObjects(t, "CronJob", `{apiVersion: batch/v1, kind: CronJob, metadata: {name: cron}, spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'x:1'}]}}}}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"a name of 53 letters", `{metadata: {name: ccccccccccccccccccccccccccccccccccccccccccccccccccccc}}`, []string{`metadata.name: Invalid value: "ccccccccccccccccccccccccccccccccccccccccccccccccccccc": must be no more than 52 characters`}},
		{"a name of 52 letters", `{metadata: {name: cccccccccccccccccccccccccccccccccccccccccccccccccccc}}`, nil},
		{"no schedule", `{spec: {schedule: ''}}`, []string{`spec.schedule: Required value`}},
		{"a schedule of four fields", `{spec: {schedule: '* * * *'}}`, []string{`spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]`}},
		{"a schedule of minute 60", `{spec: {schedule: '60 * * * *'}}`, []string{`spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60`}},
		{"a schedule with a zone", `{spec: {schedule: 'TZ=UTC * * * * *'}}`, []string{`spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead`}},
		{"a macro", `{spec: {schedule: '@daily', timeZone: Europe/Berlin}}`, nil},
		{"another macro", `{spec: {schedule: '@sometimes'}}`, []string{`spec.schedule: Invalid value: "@sometimes": unrecognized descriptor: @sometimes`}},
		{"zones that are none", `{spec: {timeZone: Europe/Nowhere}}`, []string{`spec.timeZone: Invalid value: "Europe/Nowhere": unknown time zone Europe/Nowhere`}},
		{"an empty zone", `{spec: {timeZone: ''}}`, []string{`spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string`}},
		{"the local zone", `{spec: {timeZone: Local}}`, []string{`spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones`}},
		{"a zone that leads up", `{spec: {timeZone: ../UTC}}`, []string{`spec.timeZone: Invalid value: "../UTC": unknown time zone ../UTC`}},
		{"other concurrency", `{spec: {concurrencyPolicy: Queue}}`, []string{`spec.concurrencyPolicy: Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"`}},
		{"no concurrency", `{spec: {concurrencyPolicy: ''}}`, nil},
		{
			"figures below zero", `{spec: {startingDeadlineSeconds: -1, successfulJobsHistoryLimit: -1, failedJobsHistoryLimit: -1}}`,
			[]string{
				`spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0`,
				`spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0`,
			},
		},
		{
			"a selector of its Jobs", `{spec: {jobTemplate: {spec: {selector: {matchLabels: {a: b}}, manualSelector: true}}}}`,
			[]string{
				"spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: `selector` will be auto-generated",
				`spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"`,
			},
		},
		{"pods that are always restarted", `{spec: {jobTemplate: {spec: {template: {spec: {restartPolicy: Always}}}}}}`, []string{`spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`}},
		{
			"Jobs that are wrong", `{spec: {jobTemplate: {spec: {parallelism: -1, backoffLimitPerIndex: 1}}}}`,
			[]string{
				`spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or equal to 0`,
				`spec.jobTemplate.spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode`,
			},
		},
	})
}
