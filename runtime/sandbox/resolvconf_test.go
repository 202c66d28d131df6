package sandbox

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/beneath"
)

func TestPodResolver(t *testing.T) {
	const hostText = "# made by hand\nsearch lan home.\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions ndots:1 edns0\n"
	own := []netip.Addr{netip.MustParseAddr("10.210.0.1"), netip.MustParseAddr("fd00::1")}
	value := "7"
	config := &corev1.PodDNSConfig{Nameservers: []string{"192.0.2.2", "192.0.2.9"}, Searches: []string{"example", "."}, Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: &value}, {Name: "rotate"}}}
	const cluster = "search shop.svc.cluster.local svc.cluster.local cluster.local lan home\nnameserver 10.210.0.1\nnameserver fd00::1\noptions ndots:5\n"
	const hosts = "search lan home\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions ndots:1 edns0\n"
	for _, tc := range []struct {
		name, host string
		own        []netip.Addr
		spec       corev1.PodSpec
		want       string
		note       string
	}{
		{"ClusterFirst", hostText, own, corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirst}, cluster, ""},
		{"ClusterFirst in the host's network", hostText, own, corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirst, HostNetwork: true}, hosts, ""},
		{"ClusterFirstWithHostNet", hostText, own, corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirstWithHostNet, HostNetwork: true}, cluster, ""},
		{"ClusterFirst while nobody serves", hostText, nil, corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirst}, hosts, "MissingClusterDNS"},
		{"Default", hostText, own, corev1.PodSpec{DNSPolicy: corev1.DNSDefault}, hosts, ""},
		{"Default behind a stub", "nameserver 127.0.0.53\n", own, corev1.PodSpec{DNSPolicy: corev1.DNSDefault}, "nameserver 10.210.0.1\nnameserver fd00::1\n", ""},
		{"Default beside a stub", "nameserver ::1\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n", own, corev1.PodSpec{DNSPolicy: corev1.DNSDefault}, "nameserver 192.0.2.1\n", ""},
		{"a stub in the host's network", "nameserver 127.0.0.53\n", own, corev1.PodSpec{DNSPolicy: corev1.DNSDefault, HostNetwork: true}, "nameserver 127.0.0.53\n", ""},
		{"merged", hostText, own, corev1.PodSpec{DNSPolicy: corev1.DNSDefault, DNSConfig: config}, "search lan home example .\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.9\noptions edns0 ndots:7 rotate\n", ""},
		{"None", hostText, own, corev1.PodSpec{DNSPolicy: corev1.DNSNone, DNSConfig: config}, "search example .\nnameserver 192.0.2.2\nnameserver 192.0.2.9\noptions ndots:7 rotate\n", ""},
		{"too many servers", hostText, own, corev1.PodSpec{DNSPolicy: corev1.DNSDefault, DNSConfig: &corev1.PodDNSConfig{Nameservers: []string{"192.0.2.3", "192.0.2.4"}}}, "search lan home\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\noptions ndots:1 edns0\n", "DNSConfigForming"},
		{"too long a search", "search lan " + strings.Repeat("x", 254) + "\nnameserver 192.0.2.1\n", own, corev1.PodSpec{DNSPolicy: corev1.DNSDefault}, "search lan\nnameserver 192.0.2.1\n", "DNSConfigForming"},
	} {
		n := NameServers{Host: ParseResolvConf(tc.host), Own: tc.own, ClusterDomain: "cluster.local"}
		got, notes := n.ForPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}, Spec: tc.spec})
		if got.String() != tc.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.name, got, tc.want)
		}
		if said := len(notes) > 0; said != (tc.note != "") || said && notes[0].Reason != tc.note {
			t.Errorf("%s: notes %v", tc.name, notes)
		}
	}
}

func TestManySearches(t *testing.T) {
	r := Resolver{}
	for range 40 {
		r.searches = append(r.searches, strings.Repeat("x", 100))
	}
	got, notes := r.limited(nil)
	if n := len(strings.Join(got.searches, " ")); n > maxSearchChars || len(got.searches) != 20 || len(notes) != 1 {
		t.Errorf("%d searches, %d characters, notes %v", len(got.searches), n, notes)
	}
}

func TestUpstreamLeavesOutOwn(t *testing.T) {
	n := NameServers{Host: ParseResolvConf("nameserver 10.210.0.1\nnameserver 127.0.0.53\nnameserver nonsense\n"), Own: []netip.Addr{netip.MustParseAddr("10.210.0.1")}}
	if got := n.Upstream(); len(got) != 1 || got[0].String() != "127.0.0.53:53" {
		t.Errorf("got %v", got)
	}
}

func TestPodNames(t *testing.T) {
	yes, override, long := true, "any.name.example", strings.Repeat("a", 40)
	for name, tc := range map[string]struct {
		spec         corev1.PodSpec
		kernel, line string
		fails        bool
	}{
		"plain":               {corev1.PodSpec{}, "web", "web", false},
		"hostname":            {corev1.PodSpec{Hostname: "front"}, "front", "front", false},
		"subdomain":           {corev1.PodSpec{Hostname: "front", Subdomain: "app"}, "front", "front.app.shop.svc.cluster.local\tfront", false},
		"full":                {corev1.PodSpec{Subdomain: "app", SetHostnameAsFQDN: &yes}, "web.app.shop.svc.cluster.local", "web.app.shop.svc.cluster.local\tweb", false},
		"full without domain": {corev1.PodSpec{SetHostnameAsFQDN: &yes}, "web", "web", false},
		"too long":            {corev1.PodSpec{Hostname: long, Subdomain: "app", SetHostnameAsFQDN: &yes}, "", "", true},
		"override":            {corev1.PodSpec{Hostname: "front", Subdomain: "app", HostnameOverride: &override}, override, override, false},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"}, Spec: tc.spec}
		got, err := namesOf(p, "cluster.local")
		if (err != nil) != tc.fails || err == nil && (got.kernel != tc.kernel || got.line() != tc.line) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestOverwriteKeepsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("a long text of before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := beneath.Overwrite(path, "short\n"); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || beneath.ReadHostFile(path) != "short\n" {
		t.Errorf("%v, same %v, %q", err, os.SameFile(before, after), beneath.ReadHostFile(path))
	}
}
