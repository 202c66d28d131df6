package validate

import "testing"

// What is mounted where.
func TestMounts(t *testing.T) {
	checkPods(t, []podRow{
		{"a mount of no volume", `{container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a}]}}`, []string{`spec.containers[0].volumeMounts[0].name: Not found: "v"`}},
		{
			`a mount without a name and a path`, `{container: {name: c, image: x, volumeMounts: [{name: '', mountPath: ''}]}}`,
			[]string{
				`spec.containers[0].volumeMounts[0].name: Required value`,
				`spec.containers[0].volumeMounts[0].name: Not found: ""`,
				`spec.containers[0].volumeMounts[0].mountPath: Required value`,
			},
		},
		{"two mounts at one path", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a}]}}`, []string{`spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique`}},
		{
			`two mounts of one volume`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /b, subPath: s/t}]}}`,
			nil,
		},
		{"a path that is relative", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: a}]}}`, nil},
		{"a sub path from the root", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, subPath: /s}]}}`, []string{`spec.containers[0].volumeMounts.subPath: Invalid value: "/s": must be a relative path`}},
		{"a sub path that leads up", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, subPath: s/../../t}]}}`, []string{`spec.containers[0].volumeMounts.subPath: Invalid value: "s/../../t": must not contain '..'`}},
		{"a sub path with dots in a name", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, subPath: ..s/t..}]}}`, nil},
		{"an expression that leads up", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, subPathExpr: $(A)/..}]}}`, []string{`spec.containers[0].volumeMounts.subPathExpr: Invalid value: "$(A)/..": must not contain '..'`}},
		{"a sub path and an expression", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, subPath: s, subPathExpr: t}]}}`, []string{`spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "t": subPathExpr and subPath are mutually exclusive`}},
		{"a propagation that is none", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, mountPropagation: Both}]}}`, []string{`spec.containers[0].volumeMounts.mountPropagation: Unsupported value: "Both": supported values: "Bidirectional", "HostToContainer", "None"`}},
		{
			`a propagation to the host`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]}}`,
			[]string{`spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`},
		},
		{
			`of a container that may`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, securityContext: {privileged: true}, volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]}}`,
			nil,
		},
		{
			`read-only below`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, readOnly: true, recursiveReadOnly: Enabled, mountPropagation: None}]}}`,
			nil,
		},
		{"read-only below what is not", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, recursiveReadOnly: IfPossible}]}}`, []string{`spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true`}},
		{
			`read-only below what the host mounts`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, readOnly: true, recursiveReadOnly: Enabled, mountPropagation: HostToContainer}]}}`,
			[]string{`spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified`},
		},
		{"not read-only below", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, recursiveReadOnly: Disabled}]}}`, nil},
		{
			`read-only below in another word`, `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, readOnly: true, recursiveReadOnly: 'true'}]}}`,
			[]string{`spec.containers[0].volumeMounts.recursiveReadOnly: Unsupported value: "true": supported values: "Disabled", "Enabled", "IfPossible"`},
		},
		{"a device that is no claim", `{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeDevices: [{name: v, devicePath: /dev/a}]}}`, []string{`spec.containers[0].volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`}},
		{"a device of no volume", `{container: {name: c, image: x, volumeDevices: [{name: v, devicePath: /dev/a}]}}`, []string{`spec.containers[0].volumeDevices[0].name: Not found: "v"`}},
		{
			`devices that are one`, `{spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: v}}]}, container: {name: c, image: x, volumeDevices: [{name: v, devicePath: /dev/a}, {name: v, devicePath: /dev/a}]}}`,
			[]string{
				`spec.containers[0].volumeDevices[1].name: Invalid value: "v": must be unique`,
				`spec.containers[0].volumeDevices[1].devicePath: Invalid value: "/dev/a": must be unique`,
			},
		},
		{
			`a device that leads up, and none`, `{spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: v}}, {name: w, persistentVolumeClaim: {claimName: w}}]}, container: {name: c, image: x, volumeDevices: [{name: v, devicePath: /dev/../a}, {name: w, devicePath: ''}]}}`,
			[]string{
				`spec.containers[0].volumeDevices[0].devicePath: Invalid value: "/dev/../a": can not contain backsteps ('..')`,
				`spec.containers[0].volumeDevices[1].devicePath: Required value`,
			},
		},
		// the API server says it of both
		{
			`a device that is mounted as well`, `{spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: v}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /dev/a}], volumeDevices: [{name: v, devicePath: /dev/a}]}}`,
			[]string{
				`spec.containers[0].volumeMounts[0].mountPath: Invalid value: "/dev/a": must not already exist as a path in volumeDevices`,
				`spec.containers[0].volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices`,
			},
		},
	})
}
