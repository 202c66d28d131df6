package validate

import "testing"

// Amounts, of containers and of the whole pod.
func TestResources(t *testing.T) {
	checkPods(t, []podRow{
		{"requests as much as limits", `{container: {name: c, image: x, resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 1, memory: 1Gi}}}}`, nil},
		{
			`requests more than limits`, `{container: {name: c, image: x, resources: {requests: {cpu: 1001m, memory: 2Gi}, limits: {cpu: 1, memory: 1Gi}}}}`,
			[]string{
				`spec.containers[0].resources.requests: Invalid value: "1001m": must be less than or equal to cpu limit of 1`,
				`spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi`,
			},
		},
		{
			`less than nothing`, `{container: {name: c, image: x, resources: {requests: {cpu: -1}, limits: {ephemeral-storage: -1}}}}`,
			[]string{
				`spec.containers[0].resources.limits[ephemeral-storage]: Invalid value: "-1": must be greater than or equal to 0`,
				`spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
				`spec.containers[0].resources.requests[ephemeral-storage]: Invalid value: "-1": must be greater than or equal to 0`,
			},
		},
		{
			`resources that containers have not`, `{container: {name: c, image: x, resources: {limits: {pods: 1, storage: 1Gi}}}}`,
			[]string{
				`spec.containers[0].resources.limits[pods]: Invalid value: "pods": must be a standard resource for containers`,
				`spec.containers[0].resources.limits[storage]: Invalid value: "storage": must be a standard resource for containers`,
				`spec.containers[0].resources.requests[pods]: Invalid value: "pods": must be a standard resource for containers`,
				`spec.containers[0].resources.requests[storage]: Invalid value: "storage": must be a standard resource for containers`,
			},
		},
		{
			`a resource that nobody has`, `{container: {name: c, image: x, resources: {limits: {gpu: 1}}}}`,
			[]string{
				`spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`,
				`spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers`,
				`spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`,
				`spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers`,
			},
		},
		{
			`a resource's name with a blank`, `{container: {name: c, image: x, resources: {limits: {'a b': 1}}}}`,
			[]string{
				`spec.containers[0].resources.limits[a b]: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`spec.containers[0].resources.limits[a b]: Invalid value: "a b": must be a standard resource for containers`,
				`spec.containers[0].resources.requests[a b]: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
				`spec.containers[0].resources.requests[a b]: Invalid value: "a b": must be a standard resource for containers`,
			},
		},
		{"an extended resource", `{container: {name: c, image: x, resources: {requests: {example.com/gpu: 2}, limits: {example.com/gpu: 2}}}}`, nil},
		{
			`half an extended resource`, `{container: {name: c, image: x, resources: {limits: {example.com/gpu: 500m}}}}`,
			[]string{
				`spec.containers[0].resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer`,
				`spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer`,
			},
		},
		{"an extended resource without a limit", `{container: {name: c, image: x, resources: {requests: {example.com/gpu: 1}}}}`, []string{`spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources`}},
		{"an extended resource with another limit", `{container: {name: c, image: x, resources: {requests: {example.com/gpu: 1}, limits: {example.com/gpu: 2}}}}`, []string{`spec.containers[0].resources.requests: Invalid value: "1": must be equal to example.com/gpu limit of 2`}},
		{
			`an extended resource named as a quota`, `{container: {name: c, image: x, resources: {limits: {requests.example.com/gpu: 1}}}}`,
			[]string{
				`spec.containers[0].resources.limits[requests.example.com/gpu]: Invalid value: "requests.example.com/gpu": doesn't follow extended resource name standard`,
				`spec.containers[0].resources.requests[requests.example.com/gpu]: Invalid value: "requests.example.com/gpu": doesn't follow extended resource name standard`,
			},
		},
		{"huge pages alone", `{container: {name: c, image: x, resources: {limits: {hugepages-2Mi: 2Mi}}}}`, []string{`spec.containers[0].resources: Forbidden: HugePages require cpu or memory`}},
		{"huge pages", `{container: {name: c, image: x, resources: {limits: {hugepages-2Mi: 4Mi, memory: 1Gi}}}}`, nil},
		{
			`a page and a half`, `{container: {name: c, image: x, resources: {limits: {hugepages-2Mi: 3Mi, memory: 1Gi}}}}`,
			[]string{
				`spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
				`spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
			},
		},
		// the API server says that it is no multiple of it
		{
			`huge pages of no size`, `{container: {name: c, image: x, resources: {limits: {hugepages-x: 1Mi, memory: 1Gi}}}}`,
			[]string{
				`spec.containers[0].resources.limits[hugepages-x]: Invalid value: "1Mi": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
				`spec.containers[0].resources.requests[hugepages-x]: Invalid value: "1Mi": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
			},
		},
		{"fewer huge pages requested than the limit", `{container: {name: c, image: x, resources: {requests: {hugepages-2Mi: 2Mi, memory: 1Gi}, limits: {hugepages-2Mi: 4Mi, memory: 1Gi}}}}`, []string{`spec.containers[0].resources.requests: Invalid value: "2Mi": must be equal to hugepages-2Mi limit of 4Mi`}},
		{"the pod's own", `{spec: {resources: {requests: {cpu: 2}, limits: {cpu: 3}}}, container: {name: c, image: x, resources: {requests: {cpu: 1}, limits: {cpu: 3}}}}`, nil},
		{
			`the pod's own less than its containers request`, `{spec: {resources: {requests: {cpu: 1}}, containers: [{name: a, image: x, resources: {requests: {cpu: 600m}}}, {name: b, image: x, resources: {requests: {cpu: 600m}}}]}}`,
			[]string{`spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 1200m`},
		},
		{"the pod's own less than a container's limit", `{spec: {resources: {limits: {cpu: 1}}}, container: {name: c, image: x, resources: {limits: {cpu: 2}, requests: {cpu: 500m}}}}`, []string{`spec.resources.containers[0][cpu].limits: Invalid value: "2": must be less than or equal to pod limits of 1`}},
		{"the pod's own of what nobody has", `{spec: {resources: {limits: {gpu: 1}}}}`, []string{`spec.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`}},
		{"the pod's own of storage", `{spec: {resources: {limits: {ephemeral-storage: 1Gi}}}}`, []string{`spec.resources.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"`}},
		// the API server looks for the claim as well; of the next ones it says the same in more words
		{"the pod's own of a claim", `{spec: {resources: {claims: [{name: a}], limits: {cpu: 1}}}}`, []string{`spec.resources.claims: Forbidden: claims may not be set for Resources at pod-level`}},
		{"a claim", `{spec: {resourceClaims: [{name: a, resourceClaimName: b}]}, container: {name: c, image: x, resources: {claims: [{name: a, request: r}]}}}`, nil},
		{
			`a claim of nothing and of two`, `{spec: {resourceClaims: [{name: a}, {name: b, resourceClaimName: x, resourceClaimTemplateName: z}]}}`,
			[]string{
				"spec.resourceClaims[0]: Invalid value: {\"name\":\"a\"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
				"spec.resourceClaims[1]: Invalid value: {\"name\":\"b\",\"resourceClaimName\":\"x\",\"resourceClaimTemplateName\":\"z\"}: at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
			},
		},
		{
			`a claim twice, one of no name, one of a bad name`, `{spec: {resourceClaims: [{name: a, resourceClaimName: x}, {name: a, resourceClaimName: x}, {name: '', resourceClaimName: x}, {name: a.b, resourceClaimTemplateName: X}]}}`,
			[]string{
				`spec.resourceClaims[1].name: Duplicate value: "a"`,
				`spec.resourceClaims[2].name: Required value`,
				`spec.resourceClaims[3].name: Invalid value: "a.b": must not contain dots`,
				`spec.resourceClaims[3].resourceClaimTemplateName: Invalid value: "X": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			},
		},
		{
			`a claim that the pod has not`, `{spec: {resourceClaims: [{name: a, resourceClaimName: b}]}, container: {name: c, image: x, resources: {claims: [{name: b}, {name: ''}]}}}`,
			[]string{
				`spec.containers[0].resources.claims[0]: Not found: "b"`,
				`spec.containers[0].resources.claims[1].name: Required value`,
			},
		},
		{"a claim and a part of it", `{spec: {resourceClaims: [{name: a, resourceClaimName: b}]}, container: {name: c, image: x, resources: {claims: [{name: a}, {name: a, request: r}]}}}`, []string{`spec.containers[0].resources.claims[1]: Duplicate value: "a/r"`}},
	})
}
