package validate

import "testing"

// Probes, hooks and how they ask.
func TestProbes(t *testing.T) {
	checkPods(t, []podRow{
		{
			`each handler`, `{container: {name: c, image: x, ports: [{containerPort: 80, name: web}], livenessProbe: {httpGet: {port: web}}, readinessProbe: {tcpSocket: {port: 80}}, startupProbe: {grpc: {port: 80}}, lifecycle: {postStart: {exec: {command: [a]}}, preStop: {sleep: {seconds: 30}}}}}`,
			nil,
		},
		{
			`no handler`, `{container: {name: c, image: x, livenessProbe: {}, lifecycle: {postStart: {}, preStop: {}}}}`,
			[]string{
				`spec.containers[0].lifecycle.postStart: Required value: must specify a handler type`,
				`spec.containers[0].lifecycle.preStop: Required value: must specify a handler type`,
				`spec.containers[0].livenessProbe: Required value: must specify a handler type`,
			},
		},
		{"two handlers", `{container: {name: c, image: x, livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 80}}}}`, []string{`spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`}},
		{"an empty command", `{container: {name: c, image: x, livenessProbe: {exec: {}}}}`, []string{`spec.containers[0].livenessProbe.exec.command: Required value`}},
		{
			`figures below zero`, `{container: {name: c, image: x, readinessProbe: {exec: {command: [a]}, initialDelaySeconds: -1, timeoutSeconds: -1, periodSeconds: -1, successThreshold: -1, failureThreshold: -1}}}`,
			[]string{
				`spec.containers[0].readinessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.containers[0].readinessProbe.timeoutSeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`,
				`spec.containers[0].readinessProbe.successThreshold: Invalid value: -1: must be greater than or equal to 0`,
				`spec.containers[0].readinessProbe.failureThreshold: Invalid value: -1: must be greater than or equal to 0`,
			},
		},
		{
			`two successes to be alive`, `{container: {name: c, image: x, livenessProbe: {exec: {command: [a]}, successThreshold: 2}, startupProbe: {exec: {command: [a]}, successThreshold: 2}}}`,
			[]string{
				`spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1`,
				`spec.containers[0].startupProbe.successThreshold: Invalid value: 2: must be 1`,
			},
		},
		{"two successes to be ready", `{container: {name: c, image: x, readinessProbe: {exec: {command: [a]}, successThreshold: 2}}}`, nil},
		{"a grace of zero", `{container: {name: c, image: x, livenessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 0}}}`, []string{`spec.containers[0].livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`}},
		{"a grace of a second", `{container: {name: c, image: x, startupProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 1}}}`, nil},
		{"a grace of readiness", `{container: {name: c, image: x, readinessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 1}}}`, []string{`spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes`}},
		{
			`a port out of range`, `{container: {name: c, image: x, livenessProbe: {tcpSocket: {port: 65536}}, readinessProbe: {httpGet: {port: 0}}, startupProbe: {grpc: {port: -1}}}}`,
			[]string{
				`spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 65536: must be between 1 and 65535, inclusive`,
				`spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`spec.containers[0].startupProbe.grpc.port: Invalid value: -1: must be between 1 and 65535, inclusive`,
			},
		},
		{
			`a port's name that is none`, `{container: {name: c, image: x, livenessProbe: {tcpSocket: {port: '-'}}}}`,
			[]string{
				`spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "-": must contain at least one letter (a-z)`,
				`spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "-": must not begin or end with a hyphen`,
			},
		},
		{"another scheme", `{container: {name: c, image: x, livenessProbe: {httpGet: {port: 80, scheme: ftp}}}}`, []string{`spec.containers[0].livenessProbe.httpGet.scheme: Unsupported value: "ftp": supported values: "HTTP", "HTTPS"`}},
		{
			`a header's name with a blank`, `{container: {name: c, image: x, livenessProbe: {httpGet: {port: 80, httpHeaders: [{name: X-A, value: b}, {name: 'a b', value: c}, {name: '', value: c}]}}}}`,
			[]string{
				`spec.containers[0].livenessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
				`spec.containers[0].livenessProbe.httpGet.httpHeaders: Invalid value: "": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
			},
		},
		{"a sleep longer than the grace", `{spec: {terminationGracePeriodSeconds: 5}, container: {name: c, image: x, lifecycle: {preStop: {sleep: {seconds: 6}}}}}`, []string{`spec.containers[0].lifecycle.preStop.sleep: Invalid value: 6: must be non-negative and less than terminationGracePeriodSeconds (5)`}},
		{"a sleep as long as the grace", `{spec: {terminationGracePeriodSeconds: 5}, container: {name: c, image: x, lifecycle: {preStop: {sleep: {seconds: 5}}}}}`, nil},
		{"a sleep of less than nothing", `{container: {name: c, image: x, lifecycle: {preStop: {sleep: {seconds: -1}}}}}`, []string{`spec.containers[0].lifecycle.preStop.sleep: Invalid value: -1: must be non-negative and less than terminationGracePeriodSeconds (30)`}},
		// so does an API server with the feature ContainerStopSignals
		{"a stop signal without a system", `{container: {name: c, image: x, lifecycle: {stopSignal: SIGUSR1}}}`, []string{"spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"}},
		{"a stop signal", `{spec: {os: {name: linux}}, container: {name: c, image: x, lifecycle: {stopSignal: SIGRTMIN+1}}}`, nil},
	})
}
