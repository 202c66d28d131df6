package manifest

import (
	"strings"
	"testing"
)

func TestServices(t *testing.T) {
	const ports = "ports: [{port: 80}]"
	for _, tt := range []struct{ spec, want string }{
		{ports, ""},
		{"type: ExternalName, externalName: db.example.com.", ""},
		{"clusterIP: None", ""},
		{"trafficDistribution: PreferSameNode, " + ports, ""},
		{"type: LoadBalancer, loadBalancerClass: example.com/lb, allocateLoadBalancerNodePorts: false, externalTrafficPolicy: Local, healthCheckNodePort: 31000, " + ports, ""},
		{"type: Gateway, " + ports, `spec.type: Unsupported value: "Gateway": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"`},
		{"", "spec.ports: Required value"},
		{"ports: [{port: 80}, {port: 81}]", "spec.ports[0].name: Required value"},
		{"ports: [{name: a, port: 80}, {name: b, port: 80}]", `spec.ports[1]: Duplicate value: "TCP/80"`},
		{"ports: [{port: 0}]", "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"},
		{"ports: [{port: 80, targetPort: Web}]", `spec.ports[0].targetPort: Invalid value: "Web"`},
		{"ports: [{port: 80, appProtocol: 'a b'}]", `spec.ports[0].appProtocol: Invalid value: "a b"`},
		{"ports: [{port: 80, nodePort: 30000}]", "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
		{"type: NodePort, clusterIP: None, " + ports, "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"},
		{"type: ExternalName, externalName: a_b", `spec.externalName: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of`},
		{"trafficDistribution: Near, " + ports, `spec.trafficDistribution: Unsupported value: "Near"`},
		{"loadBalancerClass: example.com/lb, " + ports, "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"},
		{"allocateLoadBalancerNodePorts: true, " + ports, "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'"},
		{"externalTrafficPolicy: Local, " + ports, "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services"},
		{"healthCheckNodePort: 31000, " + ports, "spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"},
		{"type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 80, " + ports, "spec.healthCheckNodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767"},
		{"externalIPs: [127.0.0.1], " + ports, "spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"},
		{"sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}, " + ports, "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400"},
	} {
		_, problems := Parse("f", []byte("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {"+tt.spec+"}\n"))
		switch {
		case tt.want == "" && len(problems) > 0:
			t.Errorf("%s: %v", tt.spec, problems)
		case tt.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, tt.want)):
			t.Errorf("%s: %v, want %q", tt.spec, problems, tt.want)
		}
	}
}
