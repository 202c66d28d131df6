package runtime

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestHostsFile(t *testing.T) {
	spec := &corev1.PodSpec{HostAliases: []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{"foo.local", "bar.local"}}}}
	want := `# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
fe00::0	ip6-mcastprefix
fe00::1	ip6-allnodes
fe00::2	ip6-allrouters
10.0.0.5	web

# Entries added by HostAliases.
127.0.0.1	foo.local	bar.local
`
	if got := hostsFile(spec, "web", corev1.PodIP{IP: "10.0.0.5"}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPodResolver(t *testing.T) {
	host := parseResolv("# made by hand\nsearch lan home\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions ndots:1 edns0\n")
	value := "5"
	config := &corev1.PodDNSConfig{Nameservers: []string{"192.0.2.2", "192.0.2.9"}, Searches: []string{"example"}, Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: &value}, {Name: "rotate"}}}
	for _, tc := range []struct {
		name string
		spec corev1.PodSpec
		want string
	}{
		{"ClusterFirst without a cluster", corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirst}, "search lan home\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions ndots:1 edns0\n"},
		{"merged", corev1.PodSpec{DNSPolicy: corev1.DNSDefault, DNSConfig: config}, "search lan home example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.9\noptions edns0 ndots:5 rotate\n"},
		{"None", corev1.PodSpec{DNSPolicy: corev1.DNSNone, DNSConfig: config}, "search example\nnameserver 192.0.2.2\nnameserver 192.0.2.9\noptions ndots:5 rotate\n"},
	} {
		if got := podResolver(&tc.spec, host).String(); got != tc.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.name, got, tc.want)
		}
	}
}

func TestPodHostname(t *testing.T) {
	long := "a123456789b123456789c123456789d123456789e123456789f123456789g1-3456789"
	for _, tc := range []struct{ name, hostname, want string }{
		{"web", "", "web"},
		{"web", "front", "front"},
		{long, "", long[:62]},
	} {
		p := &corev1.Pod{}
		p.Name, p.Spec.Hostname = tc.name, tc.hostname
		if got := podHostname(p); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}
