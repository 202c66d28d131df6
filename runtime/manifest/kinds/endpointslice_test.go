package kinds

import "testing"

func TestEndpointSlices(t *testing.T) {
	checkObjects(t, "EndpointSlice", `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}, addressType: IPv4, endpoints: []}`, []objectRow{
		{"as it is", `{}`, nil},
		{"no type", `{addressType: ''}`, []string{`addressType: Required value`}},
		{"another type", `{addressType: IPX}`, []string{`addressType: Unsupported value: "IPX": supported values: "FQDN", "IPv4", "IPv6"`}},
		// the API server leaves out which
		{"an address of the other family", `{endpoints: [{addresses: ['fd00::1']}]}`, []string{`endpoints[0].addresses[0]: Invalid value: "fd00::1": must be a valid IPv4 address`}},
		{"names", `{addressType: FQDN, endpoints: [{addresses: [a.example]}]}`, nil},
		{"names that are none", `{addressType: FQDN, endpoints: [{addresses: [a_b]}]}`, []string{`endpoints[0].addresses[0]: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{"no addresses", `{endpoints: [{addresses: []}]}`, []string{`endpoints[0].addresses: Required value: must contain at least 1 address`}},
		{
			"101 addresses", `{endpoints: [{addresses: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9, 10.0.0.10, 10.0.0.11, 10.0.0.12, 10.0.0.13, 10.0.0.14, 10.0.0.15, 10.0.0.16, 10.0.0.17, 10.0.0.18, 10.0.0.19, 10.0.0.20, 10.0.0.21, 10.0.0.22, 10.0.0.23, 10.0.0.24, 10.0.0.25, 10.0.0.26, 10.0.0.27, 10.0.0.28, 10.0.0.29, 10.0.0.30, 10.0.0.31, 10.0.0.32, 10.0.0.33, 10.0.0.34, 10.0.0.35, 10.0.0.36, 10.0.0.37, 10.0.0.38, 10.0.0.39, 10.0.0.40, 10.0.0.41, 10.0.0.42, 10.0.0.43, 10.0.0.44, 10.0.0.45, 10.0.0.46, 10.0.0.47, 10.0.0.48, 10.0.0.49, 10.0.0.50, 10.0.0.51, 10.0.0.52, 10.0.0.53, 10.0.0.54, 10.0.0.55, 10.0.0.56, 10.0.0.57, 10.0.0.58, 10.0.0.59, 10.0.0.60, 10.0.0.61, 10.0.0.62, 10.0.0.63, 10.0.0.64, 10.0.0.65, 10.0.0.66, 10.0.0.67, 10.0.0.68, 10.0.0.69, 10.0.0.70, 10.0.0.71, 10.0.0.72, 10.0.0.73, 10.0.0.74, 10.0.0.75, 10.0.0.76, 10.0.0.77, 10.0.0.78, 10.0.0.79, 10.0.0.80, 10.0.0.81, 10.0.0.82, 10.0.0.83, 10.0.0.84, 10.0.0.85, 10.0.0.86, 10.0.0.87, 10.0.0.88, 10.0.0.89, 10.0.0.90, 10.0.0.91, 10.0.0.92, 10.0.0.93, 10.0.0.94, 10.0.0.95, 10.0.0.96, 10.0.0.97, 10.0.0.98, 10.0.0.99, 10.0.0.100, 10.0.0.101]}]}`,
			[]string{`endpoints[0].addresses: Too many: 101: must have at most 100 items`},
		},
		{
			"addresses that mean something", `{endpoints: [{addresses: [127.0.0.1, 0.0.0.0]}]}`,
			[]string{
				`endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)`,
				`endpoints[0].addresses[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)`,
			},
		},
		{"a host's name", `{endpoints: [{addresses: [10.0.0.1], hostname: a}]}`, nil},
		{"a host's name that is none", `{endpoints: [{addresses: [10.0.0.1], hostname: A.b}]}`, []string{`endpoints[0].hostname: Invalid value: "A.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`}},
		{"ports", `{ports: [{name: a, port: 80}, {name: b, port: 81, protocol: SCTP}]}`, nil},
		// the API server does not look at the number
		{
			"ports that are none", `{ports: [{name: A, port: 0, protocol: tcp}]}`,
			[]string{
				`ports[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"`,
			},
		},
		{"two ports of one name", `{ports: [{name: a, port: 80}, {name: a, port: 81}]}`, []string{`ports[1].name: Duplicate value: "a"`}},
		{"a zone", `{endpoints: [{addresses: [10.0.0.1], zone: a, deprecatedTopology: {kubernetes.io/hostname: b}}]}`, nil},
	})
}
