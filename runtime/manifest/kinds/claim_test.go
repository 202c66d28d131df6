package kinds

import "testing"

func TestClaims(t *testing.T) {
	checkObjects(t, "PersistentVolumeClaim", `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"no modes", `{spec: {accessModes: null}}`, []string{`spec.accessModes: Required value: at least 1 access mode is required`}},
		{"modes that exclude each other", `{spec: {accessModes: [ReadWriteOncePod, ReadOnlyMany]}}`, []string{`spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes`}},
		{"no size", `{spec: {resources: {requests: null}}}`, []string{`spec.resources[storage]: Required value`}},
		{"a size of zero", `{spec: {resources: {requests: {storage: 0}}}}`, []string{`spec.resources[storage]: Invalid value: "0": must be greater than zero`}},
		{
			"classes that are none", `{spec: {storageClassName: A, volumeAttributesClassName: B}}`,
			[]string{
				`spec.storageClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
				`spec.volumeAttributesClassName: Invalid value: "B": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			},
		},
		{"no class", `{spec: {storageClassName: ''}}`, nil},
		{"a selector that is none", `{spec: {selector: {matchLabels: {'a b': c}}}}`, []string{`spec.selector.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`}},
	})
}
