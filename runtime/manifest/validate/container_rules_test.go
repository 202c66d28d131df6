package validate

import "testing"

// Names, ports, policies and restart rules of containers.
func TestContainers(t *testing.T) {
	checkPods(t, []podRow{
		{"a name with an underscore", `{container: {name: a_b, image: x}}`, []string{`spec.containers[0].name: Invalid value: "a_b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`}},
		{"a name of 63 letters", `{container: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, image: x}}`, nil},
		{"a name of 64 letters", `{container: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, image: x}}`, []string{`spec.containers[0].name: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be no more than 63 characters`}},
		{"two of one name", `{spec: {containers: [{name: a, image: x}, {name: a, image: other}]}}`, []string{`spec.containers[1].name: Duplicate value: "a"`}},
		{"an init container of a container's name", `{spec: {initContainers: [{name: c, image: x}]}}`, []string{`spec.initContainers[0].name: Duplicate value: "c"`}},
		{"two init containers of one name", `{spec: {initContainers: [{name: a, image: x}, {name: a, image: x}]}}`, []string{`spec.initContainers[1].name: Duplicate value: "a"`}},
		{"another message policy", `{container: {name: c, image: x, terminationMessagePolicy: Stdout}}`, []string{`spec.containers[0].terminationMessagePolicy: Unsupported value: "Stdout": supported values: "File", "FallbackToLogsOnError"`}},
		{"another pull policy", `{container: {name: c, image: x, imagePullPolicy: Sometimes}}`, []string{`spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`}},
		{"port 0", `{container: {name: c, image: x, ports: [{containerPort: 0}]}}`, []string{`spec.containers[0].ports[0].containerPort: Required value`}},
		{"ports of both ends", `{container: {name: c, image: x, ports: [{containerPort: 1}, {containerPort: 65535, hostPort: 65535}]}}`, nil},
		{"port 65536", `{container: {name: c, image: x, ports: [{containerPort: 65536}]}}`, []string{`spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive`}},
		{
			`a negative port`, `{container: {name: c, image: x, ports: [{containerPort: -1, hostPort: -1}]}}`,
			[]string{
				`spec.containers[0].ports[0].containerPort: Invalid value: -1: must be between 1 and 65535, inclusive`,
				`spec.containers[0].ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive`,
			},
		},
		{"a port of another protocol", `{container: {name: c, image: x, ports: [{containerPort: 80, protocol: tcp}]}}`, []string{`spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"`}},
		{"a port's name without letters", `{container: {name: c, image: x, ports: [{containerPort: 80, name: '80'}]}}`, []string{`spec.containers[0].ports[0].name: Invalid value: "80": must contain at least one letter (a-z)`}},
		{"a port's name of 16 letters", `{container: {name: c, image: x, ports: [{containerPort: 80, name: aaaaaaaaaaaaaaaa}]}}`, []string{`spec.containers[0].ports[0].name: Invalid value: "aaaaaaaaaaaaaaaa": must be no more than 15 characters`}},
		{"two ports of one name", `{container: {name: c, image: x, ports: [{containerPort: 80, name: a}, {containerPort: 81, name: a}]}}`, []string{`spec.containers[0].ports[1].name: Duplicate value: "a"`}},
		{"one port of the host twice", `{container: {name: c, image: x, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80}]}}`, []string{`spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"`}},
		{"one port of the host by two protocols", `{container: {name: c, image: x, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 80, hostPort: 80, protocol: UDP}]}}`, nil},
		{"one port of the host of two addresses", `{container: {name: c, image: x, ports: [{containerPort: 80, hostPort: 80, hostIP: 10.0.0.1}, {containerPort: 80, hostPort: 80, hostIP: 10.0.0.2}]}}`, nil},
		{"one port of the host in two containers", `{spec: {containers: [{name: a, image: x, ports: [{containerPort: 1, hostPort: 9}]}, {name: b, image: x, ports: [{containerPort: 2, hostPort: 9}]}]}}`, []string{`spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//9"`}},
		{
			`one port of the host in a container and before it`, `{spec: {initContainers: [{name: i, image: x, ports: [{containerPort: 1, hostPort: 9}]}]}, container: {name: b, image: x, ports: [{containerPort: 2, hostPort: 9}]}}`,
			nil,
		},
		{"the host's network with another port of it", `{spec: {hostNetwork: true}, container: {name: c, image: x, ports: [{containerPort: 80, hostPort: 81}]}}`, []string{"spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"}},
		{
			`an init container with a hook`, `{spec: {initContainers: [{name: i, image: x, lifecycle: {preStop: {sleep: {seconds: 1}}}, livenessProbe: {exec: {command: [a]}}, readinessProbe: {exec: {command: [a]}}, startupProbe: {exec: {command: [a]}}}]}}`,
			[]string{
				`spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always`,
				`spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always`,
				`spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always`,
				`spec.initContainers[0].startupProbe: Forbidden: may not be set for init containers without restartPolicy=Always`,
			},
		},
		{
			`a sidecar with a hook`, `{spec: {initContainers: [{name: i, image: x, restartPolicy: Always, lifecycle: {preStop: {sleep: {seconds: 1}}}, startupProbe: {exec: {command: [a]}}}]}}`,
			nil,
		},
		{"a sidecar whose probe is wrong", `{spec: {initContainers: [{name: i, image: x, restartPolicy: Always, startupProbe: {successThreshold: 2, exec: {command: [a]}}}]}}`, []string{`spec.initContainers[0].startupProbe.successThreshold: Invalid value: 2: must be 1`}},
		{"a container that is always restarted", `{container: {name: c, image: x, restartPolicy: Always}}`, nil},
		{"a restart policy that is none", `{container: {name: c, image: x, restartPolicy: Sometimes}}`, []string{`spec.containers[0].restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"`}},
		{"rules without a policy", `{container: {name: c, image: x, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]}}`, []string{`spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used`}},
		{
			`rules with a policy`, `{container: {name: c, image: x, restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: NotIn, values: [0]}}, {action: RestartAllContainers, exitCodes: {operator: In, values: [3, 4]}}]}}`,
			nil,
		},
		{
			`a rule that says nothing`, `{container: {name: c, image: x, restartPolicy: Never, restartPolicyRules: [{}]}}`,
			[]string{
				`spec.containers[0].restartPolicyRules[0].action: Unsupported value: "": supported values: "Restart", "RestartAllContainers"`,
				`spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified`,
			},
		},
		{"a rule of another operator", `{container: {name: c, image: x, restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: Above, values: [1]}}]}}`, []string{`spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: "Above": supported values: "In", "NotIn"`}},
		{
			`21 rules`, `{container: {name: c, image: x, restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}, {action: Restart, exitCodes: {operator: In, values: [1]}}]}}`,
			[]string{`spec.containers[0].restartPolicyRules: Too many: 21: must have at most 20 items`},
		},
		{
			`256 exit codes`, `{container: {name: c, image: x, restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179, 180, 181, 182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198, 199, 200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255, 256]}}]}}`,
			[]string{`spec.containers[0].restartPolicyRules[0].exitCodes.values: Too many: 256: must have at most 255 items`},
		},
		{
			`resize policies`, `{container: {name: c, image: x, resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}, {resourceName: memory, restartPolicy: RestartContainer}]}}`,
			nil,
		},
		{"a resize policy twice", `{container: {name: c, image: x, resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}, {resourceName: cpu, restartPolicy: NotRequired}]}}`, []string{`spec.containers[0].resizePolicy[1]: Duplicate value: "cpu"`}},
		{
			`a resize policy of storage`, `{container: {name: c, image: x, resizePolicy: [{resourceName: ephemeral-storage, restartPolicy: Now}]}}`,
			[]string{
				`spec.containers[0].resizePolicy: Unsupported value: "ephemeral-storage": supported values: "cpu", "memory"`,
				`spec.containers[0].resizePolicy: Unsupported value: "Now": supported values: "NotRequired", "RestartContainer"`,
			},
		},
		{"a resize policy that is empty", `{container: {name: c, image: x, resizePolicy: [{resourceName: '', restartPolicy: ''}]}}`, []string{`spec.containers[0].resizePolicy: Required value`}},
		{"a restart for what never restarts", `{spec: {restartPolicy: Never}, container: {name: c, image: x, resizePolicy: [{resourceName: cpu, restartPolicy: RestartContainer}]}}`, []string{"spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when pod `restartPolicy` is 'Never'"}},
	})
}
