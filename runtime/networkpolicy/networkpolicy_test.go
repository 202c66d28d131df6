package networkpolicy

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"podd/netns"
)

func policyPod(namespace, name string, labels map[string]string, ports ...corev1.ContainerPort) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name), Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: ports}}},
	}
}

// policyText is a table in words: pod in[rule; rule] out[...], a rule being peers:ports.
func policyText(t netns.PolicyTable) string {
	rules := func(list *[]netns.PolicyRule) string {
		var words []string
		for _, r := range *list {
			var peers, ports []string
			if r.Anyone {
				peers = []string{"anyone"}
			}
			for _, p := range r.Peers {
				if p.ID != "" {
					peers = append(peers, p.ID)
				} else {
					peers = append(peers, fmt.Sprint(p.Net, "-", p.Except))
				}
			}
			for _, p := range r.Ports {
				ports = append(ports, fmt.Sprintf("%d-%d/%s", p.First, p.Last, p.Protocol))
			}
			words = append(words, strings.Join(peers, ",")+":"+strings.Join(ports, ","))
		}
		return "[" + strings.Join(words, "; ") + "]"
	}
	var lines []string
	for _, p := range t {
		line := p.ID
		if p.Ingress != nil {
			line += " in" + rules(p.Ingress)
		}
		if p.Egress != nil {
			line += " out" + rules(p.Egress)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestSelectPolicies(t *testing.T) {
	port := func(name string, number int32) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
	}
	pods := []*corev1.Pod{
		policyPod("default", "web", map[string]string{"app": "web"}, port("http", 8080)),
		policyPod("default", "db", map[string]string{"app": "db"}, port("sql", 5432)),
		policyPod("other", "far", map[string]string{"app": "web"}, port("http", 80)),
		policyPod("default", "host", map[string]string{"app": "web"}),
	}
	pods[3].Spec.HostNetwork = true
	for name, c := range map[string]struct {
		specs []string
		deny  []string
		want  string
	}{
		"none": {},
		"deny all": {
			specs: []string{`{podSelector: {}, policyTypes: [Ingress, Egress]}`},
			want:  "web in[] out[]\ndb in[] out[]",
		},
		"by the node": {deny: []string{"Ingress"}, want: "web in[]\ndb in[]\nfar in[]"},
		"a policy opens what the node has shut": {
			specs: []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{}]}`}, deny: []string{"Ingress", "Egress"},
			want: "web in[] out[]\ndb in[anyone:] out[]\nfar in[] out[]",
		},
		"pods of the same namespace": {
			specs: []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}`},
			want:  "db in[web:5432-5432/TCP]",
		},
		"pods of all namespaces": {
			specs: []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}, namespaceSelector: {}}]}]}`},
			want:  "db in[web,far:]",
		},
		"a namespace by name": {
			specs: []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}]}]}`},
			want:  "db in[far:]",
		},
		"namespaces by label": {
			specs: []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}]}], egress: [{to: [{namespaceSelector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}]}]}`},
			want:  "db in[far:] out[web,db:]",
		},
		"blocks and ranges": {
			specs: []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 1, endPort: 9, protocol: UDP}, {protocol: SCTP}]}]}`},
			want:  "db in[10.0.0.0/8-[10.1.0.0/16]:1-9/UDP,0-65535/SCTP]",
		},
		"a named port of the pod": {
			specs: []string{`{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: sql}]}]}`},
			want:  "web in[]\ndb in[anyone:5432-5432/TCP]",
		},
		"a named port of the others": {
			specs: []string{`{podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: http}, {port: 53, protocol: UDP}]}]}`},
			want:  "db out[web,db,far:53-53/UDP; web:8080-8080/TCP; far:80-80/TCP]",
		},
		"several policies add up": {
			specs: []string{
				`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}`,
				`{podSelector: {matchExpressions: [{key: app, operator: In, values: [db, x]}]}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: 1}]}]}`,
			},
			want: "db in[web:; anyone:1-1/TCP] out[]",
		},
	} {
		var policies []*networkingv1.NetworkPolicy
		for _, text := range c.specs {
			p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "default"}}
			if err := yaml.UnmarshalStrict([]byte(text), &p.Spec); err != nil {
				t.Fatal(name, err)
			}
			policies = append(policies, p)
		}
		if got := policyText(Build(policies, newPolicyPeers(pods, map[string]map[string]string{"other": {"team": "red", corev1.LabelMetadataName: "other"}}), c.deny)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}
