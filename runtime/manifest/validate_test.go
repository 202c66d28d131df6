package manifest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

// sentences decodes, defaults and validates a pod of which the spec, its container or the metadata are given.
func sentences(t *testing.T, text string) string {
	t.Helper()
	pod := &corev1.Pod{}
	if faults := decode.Strict([]byte(text), pod); len(faults) > 0 {
		t.Fatalf("%s: %+v", text, faults)
	}
	defaults.SetPod(pod)
	var out []string
	for _, err := range validate.Pod(pod) {
		out = append(out, err.Error())
	}
	return strings.Join(out, "\n")
}

// label and subdomain are how apimachinery explains names.
const (
	label = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an ` +
		`alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`
	subdomain = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end ` +
		`with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`
)

func TestValidateSpec(t *testing.T) {
	tests := []struct{ spec, want string }{
		{`"restartPolicy":"Sometimes"`, `spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"`},
		{`"dnsPolicy":"Cluster"`, `spec.dnsPolicy: Unsupported value: "Cluster": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"`},
		{`"dnsPolicy":"None"`, "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"},
		{`"dnsPolicy":"None","dnsConfig":{}`, "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None"},
		{`"dnsConfig":{"nameservers":["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]}`, `spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]: must not have more than 3 nameservers`},
		{`"dnsConfig":{"nameservers":["router"]}`, `spec.dnsConfig.nameservers[0]: Invalid value: "router": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`},
		{`"dnsConfig":{"searches":["_a.b.",".","*"]}`, `spec.dnsConfig.searches[2]: Invalid value: "*": a lowercase RFC 1123 subdomain must consist`},
		{`"dnsConfig":{"options":[{"value":"1"}]}`, `spec.dnsConfig.options[0]: Required value: must not be empty`},
		{`"activeDeadlineSeconds":0`, `spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive`},
		{`"hostname":"a.b"`, `spec.hostname: Invalid value: "a.b": must not contain dots`},
		{`"subdomain":"-"`, `spec.subdomain: Invalid value: "-": ` + label},
		{`"nodeName":"A"`, `spec.nodeName: Invalid value: "A": ` + subdomain},
		{`"priorityClassName":"a_b"`, `spec.priorityClassName: Invalid value: "a_b": ` + subdomain},
		{`"runtimeClassName":"a_b"`, `spec.runtimeClassName: Invalid value: "a_b": ` + subdomain},
		{`"serviceAccountName":"a_b"`, `spec.serviceAccountName: Invalid value: "a_b": ` + subdomain},
		{`"preemptionPolicy":"x"`, `spec.preemptionPolicy: Unsupported value: "x": supported values: "PreemptLowerPriority", "Never"`},
		{`"os":{"name":""}`, `spec.os.name: Required value`},
		{`"os":{"name":"plan9"}`, `spec.os.name: Unsupported value: "plan9": supported values: "linux", "windows"`},
		{`"hostAliases":[{"ip":"x","hostnames":["A"]}]`, `spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)` + "\n" + `spec.hostAliases[0].hostnames[0]: Invalid value: "A": ` + subdomain},
		{`"hostUsers":false,"hostNetwork":true,"hostPID":true`, "spec.hostNetwork: Forbidden: when `hostUsers` is false\nspec.HostPID: Forbidden: when `hostUsers` is false"},
		{`"hostPID":true,"shareProcessNamespace":true`, `spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled`},
		{`"ephemeralContainers":[{"name":"d","image":"i"}]`, `spec.ephemeralContainers: Forbidden: cannot be set on create`},
		{`"nodeName":"n","schedulingGates":[{"name":"a/b"},{"name":"a/b"}]`, "spec.schedulingGates[1]: Duplicate value: \"a/b\"\nspec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"},
		{`"readinessGates":[{"conditionType":"a b"}]`, `spec.readinessGates[0].conditionType: Invalid value: "a b": name part must consist of`},
		{`"nodeSelector":{"a b":"c d"}`, `spec.nodeSelector: Invalid value: "a b": name part must consist of`},
		{`"overhead":{"cpu":"-1"}`, `spec.overhead[cpu]: Invalid value: "-1": must be greater than or equal to 0`},
		{`"resources":{"limits":{"ephemeral-storage":"1"}}`, `spec.resources.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"`},
	}
	for _, tt := range tests {
		check(t, specJSON(tt.spec, ""), tt.want)
	}
}

// check wants the errors of a pod, of which a last one may be cut off.
func check(t *testing.T, text, want string) {
	t.Helper()
	got := sentences(t, text)
	if got != want && (want == "" || !strings.HasPrefix(got, want)) {
		t.Errorf("%s\nerrors are\n%s\nwant\n%s", text, got, want)
	}
}

func TestValidateScheduling(t *testing.T) {
	tests := []struct{ spec, want string }{
		{`"tolerations":[{}]`, "spec.tolerations[0].operator: Invalid value: \"\": operator must be Exists when `key` is empty, which means \"match all values and all keys\""},
		{`"tolerations":[{"key":"a","operator":"Exists","value":"b"}]`, "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"},
		{`"tolerations":[{"key":"a","operator":"Like"}]`, `spec.tolerations[0].operator: Unsupported value: "Like": supported values: "Equal", "Exists"`},
		{`"tolerations":[{"key":"a","tolerationSeconds":1,"effect":"NoSchedule"}]`, "spec.tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set"},
		{`"tolerations":[{"key":"a","effect":"Never"}]`, `spec.tolerations[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`},
		{`"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{}}}`, `spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term`},
		{
			`"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":0,"preference":{"matchExpressions":[{"key":"a","operator":"In"}]}}]}}`,
			"spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100\n" +
				"spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
		},
		{`"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{}]}}`, `spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty`},
		{
			`"topologySpreadConstraints":[{"maxSkew":0,"topologyKey":"z","whenUnsatisfiable":"x"}]`,
			"spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero\n" +
				`spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "x": supported values: "DoNotSchedule", "ScheduleAnyway"`,
		},
	}
	for _, tt := range tests {
		check(t, specJSON(tt.spec, ""), tt.want)
	}
}

// A file of variables is in an emptyDir of the pod, as kubernetes' validateFileKeyRefVolumes demands.
func TestValidateFileKeyRef(t *testing.T) {
	ref := func(volume string) string {
		return `"env":[{"name":"a","valueFrom":{"fileKeyRef":{"volumeName":"` + volume + `","path":"env","key":"K"}}}]`
	}
	const at = "spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: "
	invalid := at + `Invalid value: "v": referenced volume must be of type emptyDir`
	for _, tt := range []struct{ spec, container, want string }{
		{`"volumes":[{"name":"v","emptyDir":{}}]`, ref("v"), ""},
		{`"volumes":[{"name":"v","emptyDir":{"medium":"Memory"}}]`, ref("v"), ""},
		{`"volumes":[{"name":"v","hostPath":{"path":"/etc"}}]`, ref("v"), invalid},
		{`"volumes":[{"name":"v","configMap":{"name":"c"}}]`, ref("v"), invalid},
		{`"volumes":[{"name":"v","image":{"reference":"i"}}]`, ref("v"), invalid},
		{`"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]`, ref("v"), invalid},
		{"", ref("v"), at + `Not found: "v"`},
		{"", ref("../v"), at + `Invalid value: "../v": ` + label + "\n" + at + `Not found: "../v"`},
		{`"initContainers":[{"name":"init","image":"i",` + ref("v") + `}]`, "", `spec.initContainers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "v"`},
	} {
		check(t, specJSON(tt.spec, tt.container), tt.want)
	}
}

func TestValidateSecurity(t *testing.T) {
	tests := []struct{ spec, container, want string }{
		{`"securityContext":{"runAsUser":-1}`, "", `spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`},
		{`"securityContext":{"supplementalGroups":[1,-5]}`, "", `spec.securityContext.supplementalGroups[1]: Invalid value: -5: must be between 0 and 2147483647, inclusive`},
		{`"securityContext":{"fsGroupChangePolicy":"x"}`, "", `spec.securityContext.fsGroupChangePolicy: Unsupported value: "x": supported values: "Always", "OnRootMismatch"`},
		{`"securityContext":{"seccompProfile":{"type":"Localhost"}}`, "", `spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`},
		{`"securityContext":{"seccompProfile":{"type":"Localhost","localhostProfile":"../x"}}`, "", `spec.securityContext.seccompProfile.localhostProfile: Invalid value: "../x": must not contain '..'`},
		{`"securityContext":{"appArmorProfile":{"type":""}}`, "", `spec.securityContext.appArmorProfile.type: Required value: type is required when appArmorProfile is set`},
		{
			`"securityContext":{"sysctls":[{"name":"a..b","value":"1"},{"name":"net.x","value":"1"},{"name":"net.x","value":"1"}]}`, "",
			`spec.securityContext.sysctls[0].name: Invalid value: "a..b": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$` + "\n" +
				`spec.securityContext.sysctls[2].name: Duplicate value: "net.x"`,
		},
		{`"securityContext":{"sysctls":[{"name":"net.x","value":"1"},{"name":"net.x","value":"2"}]}`, "", `spec.securityContext.sysctls[1].name: Duplicate value: "net.x"`},
		{`"securityContext":{"sysctls":[{"name":"net.","value":"1"}]}`, "", `spec.securityContext.sysctls[0].name: Invalid value: "net.": must have at most 253 characters`},
		{`"securityContext":{"sysctls":[{"name":"net/../vm","value":"1"}]}`, "", `spec.securityContext.sysctls[0].name: Invalid value: "net/../vm": must have at most 253 characters`},
		{`"securityContext":{"sysctls":[{"name":"net.ipv4 x","value":"1"}]}`, "", `spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4 x": must have at most 253 characters`},
		{`"hostNetwork":true,"securityContext":{"sysctls":[{"name":"net.x","value":"1"}]}`, "", `spec.securityContext.sysctls[0].name: Invalid value: "net.x": may not be specified when 'hostNetwork' is true`},
		{`"hostIPC":true,"securityContext":{"sysctls":[{"name":"kernel.sem","value":"1"}]}`, "", `spec.securityContext.sysctls[0].name: Invalid value: "kernel.sem": may not be specified when 'hostIPC' is true`},
		{
			"", `"securityContext":{"capabilities":{"add":["NET_ADMIN","cap_bpf","All","NET_ADMN"],"drop":["ALL","CAP_CHECKPOINT_RESTORE","CAP_CAP_KILL",""]}}`,
			`spec.containers[0].securityContext.capabilities.add[3]: Invalid value: "NET_ADMN": Linux has no capability of this name; correct its spelling or remove it` + "\n" +
				`spec.containers[0].securityContext.capabilities.drop[2]: Invalid value: "CAP_CAP_KILL": Linux has no capability of this name; correct its spelling or remove it` + "\n" +
				`spec.containers[0].securityContext.capabilities.drop[3]: Invalid value: "": Linux has no capability`,
		},
		{"", `"securityContext":{"procMount":"Unmasked"}`, "spec.containers[0].securityContext.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`"},
		{
			"", `"securityContext":{"privileged":true,"allowPrivilegeEscalation":false}`,
			"spec.containers[0].securityContext: Invalid value: {\"privileged\":true,\"allowPrivilegeEscalation\":false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
		},
	}
	for _, tt := range tests {
		check(t, specJSON(tt.spec, tt.container), tt.want)
	}
}

func TestValidateContainers(t *testing.T) {
	tests := []struct{ container, want string }{
		{`"name":"A"`, `spec.containers[0].name: Invalid value: "A": ` + label},
		{`"name":""`, `spec.containers[0].name: Required value`},
		{`"image":""`, `spec.containers[0].image: Required value: write the image to run`},
		{`"image":" x"`, `spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace`},
		{`"imagePullPolicy":"Maybe"`, `spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"`},
		{`"terminationMessagePolicy":"x"`, `spec.containers[0].terminationMessagePolicy: Unsupported value: "x": supported values: "File", "FallbackToLogsOnError"`},
		{`"ports":[{}]`, `spec.containers[0].ports[0].containerPort: Required value`},
		{`"ports":[{"containerPort":70000}]`, `spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`},
		{`"ports":[{"containerPort":1,"name":"Web"}]`, `spec.containers[0].ports[0].name: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`},
		{`"ports":[{"containerPort":1,"name":"averyveryverylongname"}]`, `spec.containers[0].ports[0].name: Invalid value: "averyveryverylongname": must be no more than 15 characters`},
		{`"ports":[{"containerPort":1,"name":"a"},{"containerPort":2,"name":"a"}]`, `spec.containers[0].ports[1].name: Duplicate value: "a"`},
		{`"ports":[{"containerPort":1,"protocol":"ICMP"}]`, `spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"`},
		{`"ports":[{"containerPort":1,"hostPort":9},{"containerPort":2,"hostPort":9}]`, `spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//9"`},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":"localhost"}]`, `spec.containers[0].ports[0].hostIP: Invalid value: "localhost": must be an IPv4 or IPv6 address of the node; remove the field to have the port on all addresses`},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":" 127.0.0.1"}]`, `spec.containers[0].ports[0].hostIP: Invalid value: " 127.0.0.1": must be an IPv4 or IPv6 address of the node; remove the field to have the port on all addresses`},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":"127.0.0.01"}]`, `spec.containers[0].ports[0].hostIP: Invalid value: "127.0.0.01": must be an IPv4 or IPv6 address of the node; remove the field to have the port on all addresses`},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":"fe80::1%eth0"}]`, `spec.containers[0].ports[0].hostIP: Invalid value: "fe80::1%eth0": must be an IPv4 or IPv6 address of the node; remove the field to have the port on all addresses`},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":""}]`, ""},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":"0.0.0.0"}]`, ""},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":"127.0.0.1"}]`, ""},
		{`"ports":[{"containerPort":1,"hostPort":9,"hostIP":"fd00::1"}]`, ""},
		{`"restartPolicy":"Never","restartPolicyRules":[{"action":"Restart","exitCodes":{"operator":"In","values":[1]}},{"action":"RestartAllContainers","exitCodes":{"operator":"NotIn","values":[0]}}]`, ""},
		{`"restartPolicy":"Never","restartPolicyRules":[{"action":"Reboot","exitCodes":{"operator":"Out","values":[1]}}]`, `spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Reboot": supported values: "Restart", "RestartAllContainers"` + "\n" + `spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: "Out": supported values: "In", "NotIn"`},
		{`"restartPolicy":"Never","restartPolicyRules":[{}]`, `spec.containers[0].restartPolicyRules[0].action: Unsupported value: "": supported values: "Restart", "RestartAllContainers"` + "\n" + `spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified`},
		{`"env":[{"name":""}]`, `spec.containers[0].env[0].name: Required value`},
		{`"env":[{"name":"a=b"}]`, `spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name`},
		{`"env":[{"name":"1 relaxed.name"}]`, ""},
		{`"env":[{"name":"a","valueFrom":{}}]`, "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"},
		{`"env":[{"name":"a","value":"b","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]`, "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"},
		{`"env":[{"name":"a","valueFrom":{"fieldRef":{"fieldPath":"metadata.uuid"}}}]`, `spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.uuid": error converting fieldPath: field label not supported: metadata.uuid`},
		{`"env":[{"name":"a","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['x/y']"}}}]`, ""},
		{`"env":[{"name":"a","valueFrom":{"resourceFieldRef":{"resource":"limits.disk"}}}]`, `spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.disk": supported values: "limits.cpu"`},
		{`"env":[{"name":"a","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu","divisor":"2"}}}]`, `spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`},
		{`"env":[{"name":"a","valueFrom":{"secretKeyRef":{"name":"s","key":""}}}]`, `spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value`},
		{`"envFrom":[{}]`, "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"},
		{`"resources":{"limits":{"memory":"-1"}}`, `spec.containers[0].resources.limits[memory]: Invalid value: "-1": must be greater than or equal to 0`},
		{`"resources":{"limits":{"memory":"100m"}}`, `spec.containers[0].resources.limits[memory]: Invalid value: "100m": no container can start with less than 1Mi; 100m means 0.1 bytes, write 100Mi`},
		{`"resources":{"limits":{"memory":64}}`, `spec.containers[0].resources.limits[memory]: Invalid value: "64": no container can start with less than 1Mi; 64 means 64 bytes, write 64Mi`},
		{`"resources":{"limits":{"memory":"1023Ki"}}`, `spec.containers[0].resources.limits[memory]: Invalid value: "1023Ki": no container can start with less than 1Mi; 1023Ki means 1047552 bytes, write 1023Mi`},
		{`"resources":{"limits":{"memory":"1Mi"}}`, ""},
		{`"resources":{"limits":{"memory":"10E"}}`, ""},
		{`"resources":{"limits":{"memory":"0"}}`, ""},
		{`"resources":{"requests":{"memory":"100m"}}`, ""},
		{`"resources":{"limits":{"memory":"1Mi"},"requests":{"memory":"2Mi"}}`, `spec.containers[0].resources.requests: Invalid value: "2Mi": must be less than or equal to memory limit of 1Mi`},
		{`"resources":{"limits":{"ram":"1"}}`, `spec.containers[0].resources.limits[ram]: Invalid value: "ram": must be a standard resource type or fully qualified` + "\n" + `spec.containers[0].resources.limits[ram]: Invalid value: "ram": must be a standard resource for containers`},
		{`"resources":{"requests":{"example.com/gpu":"1"}}`, `spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources`},
		{`"resources":{"limits":{"example.com/gpu":"500m"}}`, `spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer`},
		{`"resources":{"limits":{"hugepages-2Mi":"4Mi"}}`, `spec.containers[0].resources: Forbidden: HugePages require cpu or memory`},
		{`"resources":{"limits":{"cpu":"1","hugepages-2Mi":"3Mi"}}`, `spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`},
		{`"resizePolicy":[{"resourceName":"disk","restartPolicy":"NotRequired"}]`, `spec.containers[0].resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"`},
		{`"volumeMounts":[{"name":"v","mountPath":""}]`, "spec.containers[0].volumeMounts[0].name: Not found: \"v\"\nspec.containers[0].volumeMounts[0].mountPath: Required value"},
	}
	for _, tt := range tests {
		check(t, specJSON("", tt.container), tt.want)
	}
}

func TestValidateProbes(t *testing.T) {
	tests := []struct{ container, want string }{
		{`"livenessProbe":{}`, `spec.containers[0].livenessProbe: Required value: must specify a handler type`},
		{`"livenessProbe":{"tcpSocket":{"port":80},"exec":{"command":["a"]}}`, `spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`},
		{`"livenessProbe":{"tcpSocket":{"port":0}}`, `spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive`},
		{`"livenessProbe":{"tcpSocket":{"port":"1"}}`, `spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "1": must contain at least one letter (a-z)`},
		{`"livenessProbe":{"exec":{"command":["a"]},"successThreshold":2}`, `spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1`},
		{`"readinessProbe":{"exec":{"command":["a"]},"successThreshold":2}`, ""},
		{`"readinessProbe":{"exec":{"command":["a"]},"periodSeconds":-1}`, `spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`},
		{`"startupProbe":{"exec":{"command":["a"]},"successThreshold":2}`, `spec.containers[0].startupProbe.successThreshold: Invalid value: 2: must be 1`},
		{`"livenessProbe":{"exec":{"command":["a"]},"terminationGracePeriodSeconds":-1}`, `spec.containers[0].livenessProbe.terminationGracePeriodSeconds: Invalid value: -1: must be greater than 0`},
		{`"livenessProbe":{"exec":{"command":["a"]},"initialDelaySeconds":-1,"timeoutSeconds":-1,"failureThreshold":-1}`, "spec.containers[0].livenessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0\n" +
			"spec.containers[0].livenessProbe.timeoutSeconds: Invalid value: -1: must be greater than or equal to 0\n" +
			"spec.containers[0].livenessProbe.failureThreshold: Invalid value: -1: must be greater than or equal to 0"},
		{`"livenessProbe":{"tcpSocket":{"port":"web"}}`, `spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "web": port web not found: no port of the container has a name; name one, or write its number`},
		{
			`"ports":[{"containerPort":80,"name":"http"},{"containerPort":81,"name":"metrics"}],"readinessProbe":{"httpGet":{"port":"web"}}`,
			`spec.containers[0].readinessProbe.httpGet.port: Invalid value: "web": port web not found: the container's ports are named: http, metrics`,
		},
		{
			`"ports":[{"containerPort":80,"name":"http"}],"lifecycle":{"preStop":{"httpGet":{"port":"web"}}}`,
			`spec.containers[0].lifecycle.preStop.httpGet.port: Invalid value: "web": port web not found: the container's ports are named: http`,
		},
		{`"ports":[{"containerPort":80,"name":"http"}],"readinessProbe":{"httpGet":{"port":"http","protocol":"HTTP2"}},"livenessProbe":{"grpc":{"port":80,"mode":"TLS"}}`, ""},
		{`"readinessProbe":{"httpGet":{"port":80,"scheme":"HTTPS","protocol":"HTTP2"}}`, `spec.containers[0].readinessProbe.httpGet.protocol: Invalid value: "HTTP2": must be used with scheme HTTP: HTTP/2 is spoken in clear text only`},
		{`"readinessProbe":{"httpGet":{"port":80,"protocol":"HTTP3"}}`, `spec.containers[0].readinessProbe.httpGet.protocol: Unsupported value: "HTTP3": supported values: "HTTP1", "HTTP2"`},
		{`"livenessProbe":{"grpc":{"port":80,"mode":"mTLS"}}`, `spec.containers[0].livenessProbe.grpc.mode: Unsupported value: "mTLS": supported values: "Plaintext", "TLS"`},
		{`"readinessProbe":{"exec":{},"terminationGracePeriodSeconds":0}`, "spec.containers[0].readinessProbe.exec.command: Required value\n" +
			"spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0\n" +
			"spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must not be set for readinessProbes"},
		{
			`"startupProbe":{"httpGet":{"port":1,"scheme":"FTP","httpHeaders":[{"name":"a b","value":""}]}}`,
			"spec.containers[0].startupProbe.httpGet.scheme: Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\"\n" +
				"spec.containers[0].startupProbe.httpGet.httpHeaders: Invalid value: \"a b\": a valid HTTP header must consist of",
		},
		{`"lifecycle":{"preStop":{"sleep":{"seconds":31}}}`, `spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)`},
		{`"lifecycle":{"stopSignal":"SIGUSR1"}`, "spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"},
	}
	for _, tt := range tests {
		check(t, specJSON("", tt.container), tt.want)
	}
}

func TestValidateStopSignals(t *testing.T) {
	tests := []struct{ signal, want string }{
		{"SIGUSR1", ""},
		{"SIGIOT", ""},
		{"SIGRTMIN", ""},
		{"SIGRTMIN+15", ""},
		{"SIGRTMAX-14", ""},
		{"SIGRTMAX", ""},
		{"", `spec.containers[0].lifecycle.stopSignal: Unsupported value: "": supported values: "SIGABRT", "SIGALRM", "SIGBUS", `},
		{"TERM", `spec.containers[0].lifecycle.stopSignal: Unsupported value: "TERM": supported values: "SIGABRT", `},
		{"SIGNONE", `spec.containers[0].lifecycle.stopSignal: Unsupported value: "SIGNONE": supported values: "SIGABRT", `},
		{"SIGRTMIN+16", `spec.containers[0].lifecycle.stopSignal: Unsupported value: "SIGRTMIN+16": supported values: "SIGABRT", `},
	}
	for _, tt := range tests {
		check(t, specJSON(`"os":{"name":"linux"}`, `"lifecycle":{"stopSignal":"`+tt.signal+`"}`), tt.want)
	}
}

func TestValidateVolumes(t *testing.T) {
	tests := []struct{ spec, container, want string }{
		{`"volumes":[{"name":"V","emptyDir":{}}]`, "", `spec.volumes[0].name: Invalid value: "V": ` + label},
		{`"volumes":[{"name":"v","emptyDir":{}},{"name":"v","emptyDir":{}}]`, "", `spec.volumes[1].name: Duplicate value: "v"`},
		{`"volumes":[{"name":"v","nfs":{"server":"nas","path":"/x"}}]`, "", ""},
		{`"volumes":[{"name":"v","nfs":{"path":"x"}}]`, "", "spec.volumes[0].nfs.server: Required value\n" + `spec.volumes[0].nfs.path: Invalid value: "x": must be an absolute path`},
		{`"volumes":[{"name":"v","nfs":{"server":"nas"}}]`, "", "spec.volumes[0].nfs.path: Required value\n" + `spec.volumes[0].nfs.path: Invalid value: "": must be an absolute path`},
		{`"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/x"}}]`, "", `spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type`},
		{`"volumes":[{"name":"v","hostPath":{"path":"/x/../y","type":"Dir"}}]`, "", `spec.volumes[0].hostPath.path: Invalid value: "/x/../y": must not contain '..'` + "\n" + `spec.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice"`},
		{`"volumes":[{"name":"v","ephemeral":{}}]`, "", `spec.volumes[0].ephemeral.volumeClaimTemplate: Required value`},
		{`"volumes":[{"name":"v","ephemeral":{"volumeClaimTemplate":{"spec":{}}}}]`, "", `spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required` + "\n" + `spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value`},
		{`"volumes":[{"name":"v","ephemeral":{"volumeClaimTemplate":{"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}}}]`, "", ""},
		{`"volumes":[{"name":"v","secret":{}}]`, "", `spec.volumes[0].secret.secretName: Required value`},
		{`"volumes":[{"name":"v","secret":{"secretName":"x","defaultUser":4294967296,"items":[{"key":"k","path":"p","user":-1}]}}]`, "", `spec.volumes[0].secret.defaultUser: Invalid value: 4294967296: must be between 0 and 2147483647, inclusive` + "\n" + `spec.volumes[0].secret.items[0].user: Invalid value: -1: must be between 0 and 2147483647, inclusive`},
		{`"volumes":[{"name":"v","projected":{"defaultUser":-1,"sources":[{"serviceAccountToken":{"path":"t","user":-2}},{"configMap":{"name":"x","items":[{"key":"k","path":"p","user":-3}]}},{"downwardAPI":{"items":[{"path":"d","user":-4,"fieldRef":{"fieldPath":"metadata.name"}}]}}]}}]`, "", `spec.volumes[0].projected.defaultUser: Invalid value: -1: must be between 0 and 2147483647, inclusive` + "\n" + `spec.volumes[0].projected.sources[0].serviceAccountToken.user: Invalid value: -2: must be between 0 and 2147483647, inclusive` + "\n" + `spec.volumes[0].projected.sources[1].configMap.items[0].user: Invalid value: -3: must be between 0 and 2147483647, inclusive` + "\n" + `spec.volumes[0].projected.sources[2].downwardAPI.user: Invalid value: -4: must be between 0 and 2147483647, inclusive`},
		{`"volumes":[{"name":"v","configMap":{"name":"x","defaultUser":-1}},{"name":"w","downwardAPI":{"defaultUser":-1}}]`, "", `spec.volumes[0].configMap.defaultUser: Invalid value: -1: must be between 0 and 2147483647, inclusive` + "\n" + `spec.volumes[1].downwardAPI.defaultUser: Invalid value: -1`},
		{`"volumes":[{"name":"v","configMap":{"name":"x","defaultMode":512}}]`, "", `spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive`},
		{`"volumes":[{"name":"v","configMap":{"name":"x","items":[{"key":"k","path":"/p"}]}}]`, "", `spec.volumes[0].configMap.items[0].path: Invalid value: "/p": must be a relative path`},
		{`"volumes":[{"name":"v","emptyDir":{}}]`, `"volumeMounts":[{"name":"v","mountPath":"/a"},{"name":"v","mountPath":"/a"}]`, `spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique`},
		{`"volumes":[{"name":"v","emptyDir":{}}]`, `"volumeMounts":[{"name":"v","mountPath":"/a","mountPropagation":"Bidirectional"}]`, `spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`},
		{`"volumes":[{"name":"v","emptyDir":{}}]`, `"volumeMounts":[{"name":"v","mountPath":"/a","subPath":"../b"}]`, `spec.containers[0].volumeMounts.subPath: Invalid value: "../b": must not contain '..'`},
		{`"hostUsers":false,"volumes":[{"name":"v","emptyDir":{}}]`, `"securityContext":{"privileged":true},"volumeMounts":[{"name":"v","mountPath":"/a","mountPropagation":"Bidirectional"}]`, "spec.containers[0].volumeMounts[0].mountPropagation: Forbidden: the kernel lets no mount out of a pod with `hostUsers` false; use HostToContainer"},
		{`"hostUsers":false,"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]`, `"volumeDevices":[{"name":"v","devicePath":"/dev/x"}]`, "spec.containers[0].volumeDevices: Forbidden: when `hostUsers` is false"},
		{`"volumes":[{"name":"v","emptyDir":{}}]`, `"volumeDevices":[{"name":"v","devicePath":"/dev/x"}]`, `spec.containers[0].volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`},
	}
	for _, tt := range tests {
		check(t, specJSON(tt.spec, tt.container), tt.want)
	}
}

func TestValidatePodLevel(t *testing.T) {
	tests := []struct{ spec, container, want string }{
		{
			`"resources":{"limits":{"cpu":"1"},"requests":{"cpu":"100m"}}`, `"resources":{"requests":{"cpu":"200m"}}`,
			`spec.resources.requests[cpu]: Invalid value: "100m": must be greater than or equal to aggregate container requests of 200m`,
		},
		{
			`"resources":{"limits":{"cpu":"1"}}`, `"resources":{"limits":{"cpu":"2"},"requests":{"cpu":"1"}}`,
			`spec.resources.containers[0][cpu].limits: Invalid value: "2": must be less than or equal to pod limits of 1`,
		},
		{
			`"initContainers":[{"name":"c","image":"i","livenessProbe":{"exec":{"command":["a"]}}}]`, "",
			"spec.initContainers[0].name: Duplicate value: \"c\"\nspec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
		},
		{`"hostNetwork":true`, `"ports":[{"containerPort":1,"hostPort":2}]`, "spec.containers[0].ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"},
	}
	for _, tt := range tests {
		check(t, specJSON(tt.spec, tt.container), tt.want)
	}
	check(t, `{"metadata":{"name":"p"},"spec":{}}`, "spec.containers: Required value: write at least one container")
}

func TestValidateMeta(t *testing.T) {
	tests := []struct{ meta, want string }{
		{`{}`, `metadata.name: Required value: give the pod a name`},
		{`{"name":"` + strings.Repeat("a", 211) + `"}`, `metadata.name: Invalid value: "` + strings.Repeat("a", 211) + `": must be no more than 210 bytes in namespace "default": the folder of the pod's logs is named after both`},
		{`{"name":"` + strings.Repeat("a", 210) + `"}`, ""},
		{`{"name":"` + strings.Repeat("a", 160) + `","namespace":"` + strings.Repeat("n", 63) + `"}`, `metadata.name: Invalid value: "` + strings.Repeat("a", 160) + `": must be no more than 154 bytes in namespace `},
		{`{"name":"A"}`, `metadata.name: Invalid value: "A": ` + subdomain},
		{`{"name":"` + strings.Repeat("a", 254) + `"}`, `metadata.name: Invalid value: "` + strings.Repeat("a", 254) + `": must be no more than 253 `},
		{`{"name":"a","namespace":"a.b"}`, `metadata.namespace: Invalid value: "a.b": must not contain dots`},
		{`{"name":"a","labels":{"b":"c d"}}`, `metadata.labels: Invalid value: "c d": a valid label must be an empty string or consist of`},
		{`{"name":"a","annotations":{"b c":""}}`, `metadata.annotations: Invalid value: "b c": name part must consist of`},
		{`{"name":"a","finalizers":["x"]}`, `metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified`},
		{`{"name":"a","ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n"}]}`, `metadata.ownerReferences[0].uid: Required value: must not be empty`},
	}
	for _, tt := range tests {
		check(t, `{"metadata":`+tt.meta+`,"spec":{"containers":[{"name":"c","image":"i"}]}}`, tt.want)
	}
	check(t, `{"metadata":{"name":"a","annotations":{"b":"`+strings.Repeat("x", 256<<10)+`"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
		"metadata.annotations: Too long: may not be more than 262144 bytes")
}

func TestValidateImages(t *testing.T) {
	check(t, specJSON("", `"name":"c","image":"Busybox:ABC def"`),
		`spec.containers[0].image: Invalid value: "Busybox:ABC def": couldn't parse image name: invalid reference format: repository name must be lowercase`)
	check(t, specJSON(`"initContainers":[{"name":"i","image":"a:b:c"}]`, ""),
		`spec.initContainers[0].image: Invalid value: "a:b:c": couldn't parse image name: invalid reference format: a tag has`)
}
