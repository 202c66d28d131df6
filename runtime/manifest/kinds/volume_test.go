package kinds

import "testing"

func TestVolumes(t *testing.T) {
	checkObjects(t, "PersistentVolume", `{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {hostPath: {path: /a}, accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"no source", `{spec: {hostPath: null}}`, []string{`spec: Required value: must specify a volume type`}},
		{"two sources", `{spec: {nfs: {server: s, path: /a}}}`, []string{`spec.nfs: Forbidden: may not specify more than 1 volume type`}},
		// the API server leaves out the words
		{"no modes", `{spec: {accessModes: null}}`, []string{`spec.accessModes: Required value: at least 1 access mode is required`}},
		{"a mode that is none", `{spec: {accessModes: [ReadWrite]}}`, []string{`spec.accessModes: Unsupported value: "ReadWrite": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"`}},
		{
			"no capacity", `{spec: {capacity: null}}`,
			[]string{
				`spec.capacity: Required value`,
				`spec.capacity: Unsupported value: null: supported values: "storage"`,
			},
		},
		{"a capacity of zero", `{spec: {capacity: {storage: 0}}}`, []string{`spec.capacity[storage]: Invalid value: "0": must be greater than zero`}},
		{
			"a capacity below zero", `{spec: {capacity: {storage: -1}}}`,
			[]string{
				`spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity`,
				`spec.capacity[storage]: Invalid value: "-1": must be greater than zero`,
			},
		},
		{"a path that leads up", `{spec: {hostPath: {path: /a/../b}}}`, []string{`spec.hostPath.path: Invalid value: "/a/../b": must not contain '..'`}},
		{"a path of another type", `{spec: {hostPath: {path: /a, type: Dir}}}`, []string{`spec.hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`}},
		{"a class that is none", `{spec: {storageClassName: A}}`, []string{`spec.storageClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{
			"nfs of nothing", `{spec: {hostPath: null, nfs: {server: '', path: ''}}}`,
			[]string{
				`spec.nfs.server: Required value`,
				`spec.nfs.path: Required value`,
				`spec.nfs.path: Invalid value: "": must be an absolute path`,
			},
		},
		{
			"local of nothing", `{spec: {hostPath: null, local: {path: ''}, nodeAffinity: {required: {nodeSelectorTerms: []}}}}`,
			[]string{
				`spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term`,
				`spec.local.path: Required value`,
			},
		},
		{"local that leads up", `{spec: {hostPath: null, local: {path: a/../b}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}}`, []string{`spec.local.path: Invalid value: "a/../b": must not contain '..'`}},
	})
}
