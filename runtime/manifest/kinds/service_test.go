package kinds

import "testing"

func TestServices(t *testing.T) {
	checkObjects(t, "Service", `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}`, []objectRow{
		{"as it is", `{}`, nil},
		{"a name that begins with a digit", `{metadata: {name: 9web}}`, nil},
		{"a name of two parts", `{metadata: {name: a.b}}`, []string{`metadata.name: Invalid value: "a.b": must not contain dots`}},
		{"no ports", `{spec: {ports: null}}`, []string{`spec.ports: Required value`}},
		{"no ports and no address", `{spec: {clusterIP: None, ports: null}}`, nil},
		{"another type", `{spec: {type: Public}}`, []string{`spec.type: Unsupported value: "Public": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"`}},
		{"a selector that is none", `{spec: {selector: {'a b': c}}}`, []string{`spec.selector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`}},
		{"affinity", `{spec: {sessionAffinity: ClientIP}}`, nil},
		{"other affinity", `{spec: {sessionAffinity: Cookie}}`, []string{`spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"`}},
		{"affinity for no time", `{spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}}}`, []string{`spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400`}},
		{"affinity for a day", `{spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}}}`, nil},
		{"affinity for longer", `{spec: {sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}}}`, []string{`spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400`}},
		{"two ports", `{spec: {ports: [{name: a, port: 80}, {name: b, port: 81, targetPort: web}]}}`, nil},
		{
			"two ports without names", `{spec: {ports: [{port: 80}, {port: 81}]}}`,
			[]string{
				`spec.ports[0].name: Required value`,
				`spec.ports[1].name: Required value`,
			},
		},
		{"two ports of one name", `{spec: {ports: [{name: a, port: 80}, {name: a, port: 81}]}}`, []string{`spec.ports[1].name: Duplicate value: "a"`}},
		// the API server prints the port as it is within it
		{"two ports of one number", `{spec: {ports: [{name: a, port: 80}, {name: b, port: 80}]}}`, []string{`spec.ports[1]: Duplicate value: "TCP/80"`}},
		{"two ports of one number by two protocols", `{spec: {ports: [{name: a, port: 80}, {name: b, port: 80, protocol: UDP}]}}`, nil},
		{
			"ports that are none", `{spec: {ports: [{name: A, port: 0, protocol: tcp, targetPort: 70000, appProtocol: 'a b'}]}}`,
			[]string{
				`spec.ports[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"`,
				`spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
				`spec.ports[0].appProtocol: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			},
		},
		{"a port's name that is none", `{spec: {ports: [{port: 1, targetPort: a_b}]}}`, []string{`spec.ports[0].targetPort: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`}},
		{"node ports", `{spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, nodePort: 32767}]}}`, nil},
		{"a node port of a Service within", `{spec: {ports: [{port: 80, nodePort: 30000}]}}`, []string{"spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"}},
		{"one node port twice", `{spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, nodePort: 30000}]}}`, []string{`spec.ports[1].nodePort: Duplicate value: 30000`}},
		{"one node port by two protocols", `{spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 80, protocol: UDP, nodePort: 30000}]}}`, nil},
		{"two names of addresses", `{spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.2]}}`, []string{"spec.clusterIPs: Invalid value: [\"10.0.0.2\"]: first value must match `clusterIP`"}},
		{"three addresses", `{spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1', 10.0.0.2]}}`, []string{`spec.clusterIPs: Invalid value: ["10.0.0.1","fd00::1","10.0.0.2"]: may only hold up to 2 values`}},
		{"no address and one", `{spec: {clusterIP: None, clusterIPs: [None, 10.0.0.1]}}`, []string{`spec.clusterIPs: Invalid value: ["None","10.0.0.1"]: 'None' must be the first and only value`}},
		{"no address of a node's port", `{spec: {type: NodePort, clusterIP: None}}`, []string{`spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services`}},
		{"an address that is none", `{spec: {clusterIP: localhost}}`, []string{`spec.clusterIPs[0]: Invalid value: "localhost": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`}},
		// so says the API server's allocator
		{"two families by one", `{spec: {ipFamilyPolicy: SingleStack, ipFamilies: [IPv4, IPv6]}}`, []string{"spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be RequireDualStack or PreferDualStack when multiple `ipFamilies` are specified"}},
		{
			"families that are none", `{spec: {ipFamilyPolicy: Both, ipFamilies: [IPv5]}}`,
			[]string{
				`spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"`,
				`spec.ipFamilyPolicy: Unsupported value: "Both": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"`,
			},
		},
		{"one family twice", `{spec: {ipFamilies: [IPv4, IPv4]}}`, []string{`spec.ipFamilies[1]: Duplicate value: "IPv4"`}},
		{"an external name", `{spec: {type: ExternalName, externalName: db.example., ports: null}}`, nil},
		{"no external name", `{spec: {type: ExternalName, externalName: '.', ports: null}}`, []string{`spec.externalName: Required value`}},
		{"an external name that is none", `{spec: {type: ExternalName, externalName: 'a b', ports: null}}`, []string{`spec.externalName: Invalid value: "a b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{"an external name with an address", `{spec: {type: ExternalName, externalName: a, clusterIP: 10.0.0.1, ports: null}}`, []string{`spec.clusterIPs: Forbidden: may not be set for ExternalName services`}},
		{
			"an external name with families", `{spec: {type: ExternalName, externalName: a, ipFamilyPolicy: SingleStack, ports: [{port: 0}]}}`,
			[]string{
				`spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services`,
				`spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive`,
			},
		},
		// the API server spells the last with a capital
		{
			"what only a balancer has", `{spec: {loadBalancerClass: a/b, allocateLoadBalancerNodePorts: true, loadBalancerSourceRanges: [10.0.0.0/8]}}`,
			[]string{
				"spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
				"spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
				"spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
			},
		},
		{"a balancer of a class", `{spec: {type: LoadBalancer, loadBalancerClass: a/b}}`, nil},
		{"a balancer of a class that is none", `{spec: {type: LoadBalancer, loadBalancerClass: 'a b'}}`, []string{`spec.loadBalancerClass: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`}},
		{"traffic of this node", `{spec: {type: NodePort, externalTrafficPolicy: Local, internalTrafficPolicy: Local}}`, nil},
		{
			"traffic of other words", `{spec: {type: NodePort, externalTrafficPolicy: Near, internalTrafficPolicy: Far}}`,
			[]string{
				`spec.externalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"`,
				`spec.internalTrafficPolicy: Unsupported value: "Far": supported values: "Cluster", "Local"`,
			},
		},
		{"traffic from outside of a Service within", `{spec: {externalTrafficPolicy: Local}}`, []string{`spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services`}},
		{"a health check of nobody", `{spec: {type: NodePort, healthCheckNodePort: 30000}}`, []string{"spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"}},
		{"a distribution", `{spec: {trafficDistribution: PreferClose}}`, nil},
		{"another distribution", `{spec: {trafficDistribution: Random}}`, []string{`spec.trafficDistribution: Unsupported value: "Random": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"`}},
		{"external addresses", `{spec: {externalIPs: [192.0.2.1, '2001:db8::1'], externalTrafficPolicy: Local}}`, nil},
		{
			"external addresses that mean something", `{spec: {externalIPs: [0.0.0.0, '::', 127.0.0.1, '::1', 169.254.1.1, 'fe80::1', 224.0.0.1, 'ff02::1', a]}}`,
			[]string{
				`spec.externalIPs[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)`,
				`spec.externalIPs[1]: Invalid value: "::": may not be unspecified (::)`,
				`spec.externalIPs[2]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)`,
				`spec.externalIPs[3]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)`,
				`spec.externalIPs[4]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)`,
				`spec.externalIPs[5]: Invalid value: "fe80::1": may not be in the link-local range (169.254.0.0/16, fe80::/10)`,
				`spec.externalIPs[6]: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)`,
				`spec.externalIPs[7]: Invalid value: "ff02::1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)`,
				`spec.externalIPs[8]: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
			},
		},
	})
}
