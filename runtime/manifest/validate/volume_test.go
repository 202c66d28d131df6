package validate

import "testing"

// Each kind of volume that podd has.
func TestVolumes(t *testing.T) {
	checkPods(t, []podRow{
		{"no kind is an emptyDir", `{spec: {volumes: [{name: v}]}}`, nil},
		// the API server blames the other one: it looks at the kinds in another order
		{"two kinds", `{spec: {volumes: [{name: v, emptyDir: {}, hostPath: {path: /a}}]}}`, []string{`spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type`}},
		{"no name", `{spec: {volumes: [{name: '', emptyDir: {}}]}}`, []string{`spec.volumes[0].name: Required value`}},
		{"a name with a dot", `{spec: {volumes: [{name: a.b, emptyDir: {}}]}}`, []string{`spec.volumes[0].name: Invalid value: "a.b": must not contain dots`}},
		{"two of one name", `{spec: {volumes: [{name: v, emptyDir: {}}, {name: v, emptyDir: {}}]}}`, []string{`spec.volumes[1].name: Duplicate value: "v"`}},
		{"an emptyDir of less than nothing", `{spec: {volumes: [{name: v, emptyDir: {sizeLimit: -1}}]}}`, []string{`spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity`}},
		{"an emptyDir of nothing", `{spec: {volumes: [{name: v, emptyDir: {sizeLimit: 0}}]}}`, nil},
		{"a hostPath of nothing", `{spec: {volumes: [{name: v, hostPath: {path: ''}}]}}`, []string{`spec.volumes[0].hostPath.path: Required value`}},
		{"a hostPath that leads up", `{spec: {volumes: [{name: v, hostPath: {path: /a/../b}}]}}`, []string{`spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain '..'`}},
		{"a hostPath of another type", `{spec: {volumes: [{name: v, hostPath: {path: /a, type: Dir}}]}}`, []string{`spec.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`}},
		{
			`a hostPath of each type`, `{spec: {volumes: [{name: v0, hostPath: {path: /a, type: ''}}, {name: v1, hostPath: {path: /a, type: 'DirectoryOrCreate'}}, {name: v2, hostPath: {path: /a, type: 'Directory'}}, {name: v3, hostPath: {path: /a, type: 'FileOrCreate'}}, {name: v4, hostPath: {path: /a, type: 'File'}}, {name: v5, hostPath: {path: /a, type: 'Socket'}}, {name: v6, hostPath: {path: /a, type: 'CharDevice'}}, {name: v7, hostPath: {path: /a, type: 'BlockDevice'}}]}}`,
			nil,
		},
		{
			`an nfs without a server, of a relative path`, `{spec: {volumes: [{name: v, nfs: {server: '', path: a}}]}}`,
			[]string{
				`spec.volumes[0].nfs.server: Required value`,
				`spec.volumes[0].nfs.path: Invalid value: "a": must be an absolute path`,
			},
		},
		{
			`an nfs without a path`, `{spec: {volumes: [{name: v, nfs: {server: s, path: ''}}]}}`,
			[]string{
				`spec.volumes[0].nfs.path: Required value`,
				`spec.volumes[0].nfs.path: Invalid value: "": must be an absolute path`,
			},
		},
		{"a secret without a name", `{spec: {volumes: [{name: v, secret: {}}]}}`, []string{`spec.volumes[0].secret.secretName: Required value`}},
		{
			`a secret's modes`, `{spec: {volumes: [{name: v, secret: {secretName: s, defaultMode: 512, items: [{key: a, path: b, mode: -1}]}}]}}`,
			[]string{
				`spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive`,
				`spec.volumes[0].secret.items[0].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive`,
			},
		},
		{"a secret's modes of both ends", `{spec: {volumes: [{name: v, secret: {secretName: s, defaultMode: 0, items: [{key: a, path: b, mode: 511}]}}]}}`, nil},
		{
			`items without a key, without a path`, `{spec: {volumes: [{name: v, configMap: {name: s, items: [{key: '', path: b}, {key: a, path: ''}]}}]}}`,
			[]string{
				`spec.volumes[0].configMap.items[0].key: Required value`,
				`spec.volumes[0].configMap.items[1].path: Required value`,
			},
		},
		{
			`items that lead elsewhere`, `{spec: {volumes: [{name: v, configMap: {name: s, items: [{key: a, path: /b}, {key: a, path: a/../b}, {key: a, path: ..b}, {key: a, path: ../b}, {key: a, path: b/..c}]}}]}}`,
			[]string{
				`spec.volumes[0].configMap.items[0].path: Invalid value: "/b": must be a relative path`,
				`spec.volumes[0].configMap.items[1].path: Invalid value: "a/../b": must not contain '..'`,
				`spec.volumes[0].configMap.items[2].path: Invalid value: "..b": must not start with '..'`,
				`spec.volumes[0].configMap.items[3].path: Invalid value: "../b": must not contain '..'`,
			},
		},
		{
			`a config map without a name, of another mode`, `{spec: {volumes: [{name: v, configMap: {defaultMode: 1000}}]}}`,
			[]string{
				`spec.volumes[0].configMap.name: Required value`,
				`spec.volumes[0].configMap.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive`,
			},
		},
		{"a claim without a name", `{spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: ''}}]}}`, []string{`spec.volumes[0].persistentVolumeClaim.claimName: Required value`}},
		{"an image", `{spec: {volumes: [{name: v, image: {reference: 'x:1', pullPolicy: Never}}]}}`, nil},
		{
			`an image of nothing, by another policy`, `{spec: {volumes: [{name: v, image: {pullPolicy: Often}}]}}`,
			[]string{
				`spec.volumes[0].image.reference: Required value`,
				`spec.volumes[0].image.pullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"`,
			},
		},
		{
			`labels as a file`, `{spec: {volumes: [{name: v, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.labels}}, {path: b, resourceFieldRef: {containerName: c, resource: limits.cpu}}]}}]}}`,
			nil,
		},
		{"a file of what is no file", `{spec: {volumes: [{name: v, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: status.podIP}}]}}]}}`, []string{`spec.volumes[0].downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"`}},
		{"a file of nothing", `{spec: {volumes: [{name: v, downwardAPI: {items: [{path: a}]}}]}}`, []string{`spec.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required`}},
		{
			`a file of two things`, `{spec: {volumes: [{name: v, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.name}, resourceFieldRef: {containerName: c, resource: limits.cpu}}]}}]}}`,
			[]string{`spec.volumes[0].downwardAPI: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously`},
		},
		{"a file of no container", `{spec: {volumes: [{name: v, downwardAPI: {items: [{path: a, resourceFieldRef: {resource: limits.cpu}}]}}]}}`, []string{`spec.volumes[0].downwardAPI.resourceFieldRef.containerName: Required value`}},
		{
			`a file without a path, of another mode`, `{spec: {volumes: [{name: v, downwardAPI: {defaultMode: -1, items: [{path: '', mode: 4096, fieldRef: {fieldPath: metadata.name}}]}}]}}`,
			[]string{
				`spec.volumes[0].downwardAPI.defaultMode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive`,
				`spec.volumes[0].downwardAPI.path: Required value`,
				`spec.volumes[0].downwardAPI.mode: Invalid value: 4096: must be a number between 0 and 0777 (octal), both inclusive`,
			},
		},
		{
			`a projected volume of all`, `{spec: {volumes: [{name: v, projected: {sources: [{secret: {name: a}}, {configMap: {name: a}}, {downwardAPI: {items: [{path: d, fieldRef: {fieldPath: metadata.name}}]}}, {serviceAccountToken: {path: t}}]}}]}}`,
			nil,
		},
		{"a projected volume of two at once", `{spec: {volumes: [{name: v, projected: {sources: [{secret: {name: a}, configMap: {name: a}}]}}]}}`, []string{`spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source`}},
		{
			`a projected volume of nameless ones`, `{spec: {volumes: [{name: v, projected: {defaultMode: 1000, sources: [{secret: {}}, {configMap: {items: [{key: a, path: ../b}]}}]}}]}}`,
			[]string{
				`spec.volumes[0].projected.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive`,
				`spec.volumes[0].projected.sources[0].secret.name: Required value`,
				`spec.volumes[0].projected.sources[1].configMap.name: Required value`,
				`spec.volumes[0].projected.sources[1].configMap.items[0].path: Invalid value: "../b": must not contain '..'`,
			},
		},
		{
			`one file of two sources`, `{spec: {volumes: [{name: v, projected: {sources: [{secret: {name: a, items: [{key: a, path: p}]}}, {configMap: {name: b, items: [{key: a, path: p}]}}]}}]}}`,
			[]string{`spec.volumes[0].projected: Invalid value: "b": conflicting duplicate paths`},
		},
		{"a token of less than ten minutes", `{spec: {volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t, expirationSeconds: 599}}]}}]}}`, []string{`spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes`}},
		{"a token of ten minutes", `{spec: {volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t, expirationSeconds: 600}}]}}]}}`, nil},
		{"a token without a path", `{spec: {volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: ''}}]}}]}}`, []string{`spec.volumes[0].projected.path: Required value`}},
		{
			`an ephemeral volume of another's name`, `{spec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {metadata: {finalizers: [a.b/c], annotations: {'a b': c}}, spec: {accessModes: [ReadWriteOnce], volumeAttributesClassName: A, resources: {requests: {storage: 1}}}}}}]}}`,
			[]string{
				`spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.annotations: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.finalizers: Forbidden: cannot be set`,
				`spec.volumes[0].ephemeral.volumeClaimTemplate.spec.volumeAttributesClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			},
		},
		// the API server overlooks that of a token
		{
			`one file twice of the downward API and a token`, `{spec: {volumes: [{name: v, projected: {sources: [{downwardAPI: {items: [{path: t, fieldRef: {fieldPath: metadata.name}}]}}, {serviceAccountToken: {path: t}}]}}]}}`,
			[]string{`spec.volumes[0].projected: Invalid value: "t": conflicting duplicate paths`},
		},
		{"an ephemeral volume of nothing", `{spec: {volumes: [{name: v, ephemeral: {}}]}}`, []string{`spec.volumes[0].ephemeral.volumeClaimTemplate: Required value`}},
		{"an ephemeral volume of no size", `{spec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 0}}}}}}]}}`, []string{`spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Invalid value: "0": must be greater than zero`}},
		{
			`an ephemeral volume without modes`, `{spec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}}`,
			[]string{
				`spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required`,
				`spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value`,
			},
		},
		{
			`an ephemeral volume of one pod and others`, `{spec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOncePod, ReadWriteMany, Any], storageClassName: 'A b', resources: {requests: {storage: 1Gi}}}}}}]}}`,
			[]string{
				`spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Unsupported value: "Any": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"`,
				`spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes`,
				`spec.volumes[0].ephemeral.volumeClaimTemplate.spec.storageClassName: Invalid value: "A b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			},
		},
	})
}
