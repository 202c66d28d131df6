package sandbox

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
10.0.0.5	web.app.shop.svc.cluster.local	web

# Entries added by HostAliases.
127.0.0.1	foo.local	bar.local
`
	if got := hostsFile(spec, podNames{short: "web", domain: "app.shop.svc.cluster.local"}, corev1.PodIP{IP: "10.0.0.5"}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
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
