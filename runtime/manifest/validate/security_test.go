package validate

import "testing"

// What confines a pod and its containers.
func TestSecurity(t *testing.T) {
	checkPods(t, []podRow{
		{
			`ids of both ends`, `{spec: {securityContext: {runAsUser: 0, runAsGroup: 2147483647, fsGroup: 0, supplementalGroups: [0, 2147483647]}}, container: {name: c, image: x, securityContext: {runAsUser: 2147483647, runAsGroup: 0}}}`,
			nil,
		},
		{
			`ids out of range`, `{spec: {securityContext: {runAsUser: -1, runAsGroup: 2147483648, fsGroup: -1, supplementalGroups: [1, -2]}}, container: {name: c, image: x, securityContext: {runAsUser: -1, runAsGroup: 2147483648}}}`,
			[]string{
				`spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
				`spec.containers[0].securityContext.runAsGroup: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive`,
				`spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
				`spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
				`spec.securityContext.runAsGroup: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive`,
				`spec.securityContext.supplementalGroups[1]: Invalid value: -2: must be between 0 and 2147483647, inclusive`,
			},
		},
		{
			`policies in other words`, `{spec: {securityContext: {fsGroupChangePolicy: Never, supplementalGroupsPolicy: All, seLinuxChangePolicy: ''}}}`,
			[]string{
				`spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"`,
				`spec.securityContext.supplementalGroupsPolicy: Unsupported value: "All": supported values: "Merge", "Strict"`,
				`spec.securityContext.seLinuxChangePolicy: Unsupported value: "": supported values: "MountOption", "Recursive"`,
			},
		},
		{"policies", `{spec: {securityContext: {fsGroupChangePolicy: OnRootMismatch, supplementalGroupsPolicy: Strict, seLinuxChangePolicy: Recursive}}}`, nil},
		{
			`seccomp`, `{spec: {securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/b.json}}}, container: {name: c, image: x, securityContext: {seccompProfile: {type: Unconfined}}}}`,
			nil,
		},
		{
			`seccomp of nothing`, `{spec: {securityContext: {seccompProfile: {type: ''}}}, container: {name: c, image: x, securityContext: {seccompProfile: {type: Localhost}}}}`,
			[]string{
				`spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`,
				`spec.securityContext.seccompProfile.type: Required value: type is required when seccompProfile is set`,
			},
		},
		{
			`seccomp elsewhere`, `{spec: {securityContext: {seccompProfile: {type: Localhost, localhostProfile: /a}}}, container: {name: c, image: x, securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/../../b}}}}`,
			[]string{
				`spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: "a/../../b": must not contain '..'`,
				`spec.securityContext.seccompProfile.localhostProfile: Invalid value: "/a": must be a relative path`,
			},
		},
		{"seccomp of another type", `{spec: {securityContext: {seccompProfile: {type: Default}}}}`, []string{`spec.securityContext.seccompProfile.type: Unsupported value: "Default": supported values: "Localhost", "RuntimeDefault", "Unconfined"`}},
		{
			`AppArmor`, `{spec: {securityContext: {appArmorProfile: {type: RuntimeDefault}}}, container: {name: c, image: x, securityContext: {appArmorProfile: {type: Localhost, localhostProfile: a}}}}`,
			nil,
		},
		{
			`AppArmor of nothing`, `{spec: {securityContext: {appArmorProfile: {type: ''}}}, container: {name: c, image: x, securityContext: {appArmorProfile: {type: Localhost}}}}`,
			[]string{
				`spec.containers[0].securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost`,
				`spec.securityContext.appArmorProfile.type: Required value: type is required when appArmorProfile is set`,
			},
		},
		{
			`AppArmor with blanks, and of no use`, `{spec: {securityContext: {appArmorProfile: {type: Unconfined, localhostProfile: a}}}, container: {name: c, image: x, securityContext: {appArmorProfile: {type: Localhost, localhostProfile: ' a'}}}}`,
			[]string{
				`spec.containers[0].securityContext.appArmorProfile.localhostProfile: Invalid value: " a": must not be padded with whitespace`,
				`spec.securityContext.appArmorProfile.localhostProfile: Invalid value: "a": can only be set when AppArmor type is Localhost`,
			},
		},
		{"AppArmor of another type, and too long", `{spec: {securityContext: {appArmorProfile: {type: Complain}}}}`, []string{`spec.securityContext.appArmorProfile.type: Unsupported value: "Complain": supported values: "Localhost", "RuntimeDefault", "Unconfined"`}},
		{"all of /proc in the host's users", `{container: {name: c, image: x, securityContext: {procMount: Unmasked}}}`, []string{"spec.containers[0].securityContext.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`"}},
		{"all of /proc in users of its own", `{spec: {hostUsers: false}, container: {name: c, image: x, securityContext: {procMount: Unmasked}}}`, nil},
		{"another /proc", `{container: {name: c, image: x, securityContext: {procMount: Some}}}`, []string{`spec.containers[0].securityContext.procMount: Unsupported value: "Some": supported values: "Default", "Unmasked"`}},
		{"privileged without escalation", `{container: {name: c, image: x, securityContext: {privileged: true, allowPrivilegeEscalation: true}}}`, nil},
		{
			`the host's namespaces with users of its own`, `{spec: {hostUsers: false, hostNetwork: true, hostPID: true, hostIPC: true}}`,
			[]string{
				"spec.hostNetwork: Forbidden: when `hostUsers` is false",
				"spec.HostPID: Forbidden: when `hostUsers` is false",
				"spec.HostIPC: Forbidden: when `hostUsers` is false",
			},
		},
		{
			`a device, and a mount to the host, of users of its own`, `{spec: {hostUsers: false, volumes: [{name: v, persistentVolumeClaim: {claimName: v}}], initContainers: [{name: i, image: x, volumeDevices: [{name: v, devicePath: /dev/a}]}]}}`,
			[]string{"spec.initContainers[0].volumeDevices: Forbidden: when `hostUsers` is false"},
		},
		{"without escalation, with all of it", `{container: {name: c, image: x, securityContext: {privileged: false, allowPrivilegeEscalation: false, capabilities: {add: [NET_ADMIN]}}}}`, nil},
		{"seccomp with a profile of no use", `{container: {name: c, image: x, securityContext: {seccompProfile: {type: RuntimeDefault}}}}`, nil},
		{"two namespaces of processes", `{spec: {hostPID: true, shareProcessNamespace: true}}`, []string{`spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled`}},
		{"sysctls", `{spec: {securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}, {name: kernel/msgmax, value: '1'}]}}}`, nil},
		{
			`sysctls of bad names and twice`, `{spec: {securityContext: {sysctls: [{name: '', value: a}, {name: Net.a, value: b}, {name: net.a, value: c}, {name: net.a, value: d}]}}}`,
			[]string{
				`spec.securityContext.sysctls[0].name: Required value`,
				`spec.securityContext.sysctls[1].name: Invalid value: "Net.a": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`,
				`spec.securityContext.sysctls[3].name: Duplicate value: "net.a"`,
			},
		},
		{
			`sysctls of the host's network`, `{spec: {hostNetwork: true, hostIPC: true, securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}, {name: kernel.msgmax, value: '1'}]}}}`,
			[]string{
				`spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.tcp_syncookies": may not be specified when 'hostNetwork' is true`,
				`spec.securityContext.sysctls[1].name: Invalid value: "kernel.msgmax": may not be specified when 'hostIPC' is true`,
			},
		},
	})
}
