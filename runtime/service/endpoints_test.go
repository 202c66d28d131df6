package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/netns/dns"
)

// A port's target in a pod: a number is that, a name is looked for in containers and then in sidecars, with the protocol of
// the Service's port; a pod that lacks it has no such port. kubernetes pkg/api/pod, FindPort
func TestTargetPort(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	named := func(name string, n int32, protocol corev1.Protocol) corev1.Container {
		return corev1.Container{Name: name, Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: n, Protocol: protocol}}}
	}
	sidecar := named("proxy", 15000, "")
	sidecar.RestartPolicy = &always
	setup := named("setup", 9, "")
	for _, c := range []struct {
		name       string
		containers []corev1.Container
		inits      []corev1.Container
		target     intstr.IntOrString
		protocol   corev1.Protocol
		want       int32 // 0: there is none
	}{
		{"a number", nil, nil, intstr.FromInt32(8080), corev1.ProtocolTCP, 8080},
		{"a name", []corev1.Container{named("a", 80, corev1.ProtocolTCP)}, nil, intstr.FromString("web"), corev1.ProtocolTCP, 80},
		{"a name without a protocol is TCP's", []corev1.Container{named("a", 80, "")}, nil, intstr.FromString("web"), corev1.ProtocolTCP, 80},
		{"of another protocol", []corev1.Container{named("a", 80, "")}, nil, intstr.FromString("web"), corev1.ProtocolUDP, 0},
		{"the first container", []corev1.Container{named("a", 80, ""), named("b", 81, "")}, nil, intstr.FromString("web"), corev1.ProtocolTCP, 80},
		{"a later one of that protocol", []corev1.Container{named("a", 80, ""), named("b", 81, corev1.ProtocolUDP)}, nil, intstr.FromString("web"), corev1.ProtocolUDP, 81},
		{"a sidecar", nil, []corev1.Container{setup, sidecar}, intstr.FromString("web"), corev1.ProtocolTCP, 15000},
		{"a container before a sidecar", []corev1.Container{named("a", 80, "")}, []corev1.Container{sidecar}, intstr.FromString("web"), corev1.ProtocolTCP, 80},
		{"an init container is over", nil, []corev1.Container{setup}, intstr.FromString("web"), corev1.ProtocolTCP, 0},
		{"another name", []corev1.Container{named("a", 80, "")}, nil, intstr.FromString("api"), corev1.ProtocolTCP, 0},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: c.containers, InitContainers: c.inits}}
		got, ok := targetPort(p, &corev1.ServicePort{TargetPort: c.target, Protocol: c.protocol})
		if got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d, %v", c.name, got, ok)
		}
	}
}

// A pod is ready by its condition, and not without one.
func TestReady(t *testing.T) {
	for status, want := range map[corev1.ConditionStatus]bool{corev1.ConditionTrue: true, corev1.ConditionFalse: false, corev1.ConditionUnknown: false, "": false} {
		p := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: status}}}}
		if got := isReady(p); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
	if isReady(&corev1.Pod{}) {
		t.Error("without a condition")
	}
}

// Addresses that are none are left out, whoever has written them.
func TestPodAddrs(t *testing.T) {
	p := &corev1.Pod{}
	for _, ip := range []string{"10.0.0.1", "", "x", "10.0.0.256", "fd00::1", "10.0.0.1/24"} {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	if got := fmt.Sprint(podAddrs(p)); got != "[10.0.0.1 fd00::1]" {
		t.Error(got)
	}
}

// A slice has 100 endpoints at most, of one family and with the same ports; names stay, and no two are one.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
func TestSlicesAreFilled(t *testing.T) {
	s := svc("web")
	var list []endpoint
	for i := range 250 {
		e := endpoint{pod: &corev1.Pod{}, addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), netip.MustParseAddr(fmt.Sprintf("fd00::%x", i+1))}, ports: []port{{"http", corev1.ProtocolTCP, 80}}}
		if i >= 240 {
			e.ports = []port{{"http", corev1.ProtocolTCP, 81}}
		}
		list = append(list, e)
	}
	names := map[string]bool{}
	var sizes []string
	for _, slice := range slicesOf(s, "board", list) {
		sizes = append(sizes, fmt.Sprint(slice.AddressType, len(slice.Endpoints)))
		if names[slice.Name] || !strings.HasPrefix(slice.Name, "web-") || slice.Labels[discoveryv1.LabelServiceName] != "web" {
			t.Errorf("%s, labels %v", slice.Name, slice.Labels)
		}
		names[slice.Name] = true
		for _, e := range slice.Endpoints {
			ip := netip.MustParseAddr(e.Addresses[0])
			if ip.Is6() != (slice.AddressType == discoveryv1.AddressTypeIPv6) || *e.NodeName != "board" {
				t.Errorf("%s in a slice of %s, of node %s", ip, slice.AddressType, *e.NodeName)
			}
		}
	}
	if got := strings.Join(sizes, " "); got != "IPv4100 IPv6100 IPv4100 IPv6100 IPv440 IPv640 IPv410 IPv610" {
		t.Errorf("%s", got)
	}
	for _, slice := range slicesOf(s, "board", list) {
		if !names[slice.Name] {
			t.Errorf("%s is a new name", slice.Name)
		}
	}
	if got := slicesOf(s, "board", nil); len(got) > 1 {
		t.Errorf("%d slices of nobody", len(got))
	}
}

// Who does not say for how long a client stays with a pod gets three hours.
func TestAffinity(t *testing.T) {
	config := func(seconds *int32) *corev1.SessionAffinityConfig {
		return &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: seconds}}
	}
	for want, c := range map[time.Duration]*corev1.SessionAffinityConfig{3 * time.Hour: nil, 5 * time.Second: config(new(int32(5))), 24 * time.Hour: config(new(int32(86400)))} {
		s := svc("web")
		s.Spec.SessionAffinityConfig = c
		if got := affinity(s); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	for _, c := range []*corev1.SessionAffinityConfig{{}, config(nil)} {
		s := svc("web")
		s.Spec.SessionAffinityConfig = c
		if got := affinity(s); got != 3*time.Hour {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The range of node ports is given out to its end, each once a protocol; it is Kubernetes' default one.
func TestNodePortsRunOut(t *testing.T) {
	a := &allocator{ports: map[string]string{}}
	seen := map[uint16]bool{}
	for i := range 2768 {
		s := svc(fmt.Sprint("s", i))
		p, ok := a.freePort(s, corev1.ProtocolTCP, "http")
		if !ok || p < 30000 || p > 32767 || seen[p] {
			t.Fatalf("%d after %d others, %v", p, i, ok)
		}
		seen[p] = true
		if got := a.owner(corev1.ProtocolTCP, p); got != keyOf(s) {
			t.Fatalf("%d is %s's", p, got)
		}
	}
	if p, ok := a.freePort(svc("more"), corev1.ProtocolTCP, "http"); ok {
		t.Errorf("one port more: %d", p)
	}
	if _, ok := a.freePort(svc("more"), corev1.ProtocolUDP, "http"); !ok {
		t.Error("none of another protocol")
	}
}

// The n-th address of a network, whatever of it is written behind the prefix.
func TestNth(t *testing.T) {
	for _, c := range []struct {
		prefix string
		n      uint32
		want   string
	}{
		{"10.0.0.0/24", 1, "10.0.0.1"},
		{"10.0.0.77/24", 255, "10.0.0.255"},
		{"10.0.0.0/16", 256, "10.0.1.0"},
		{"10.0.0.0/16", 65535, "10.0.255.255"},
		{"fd00::/112", 10, "fd00::a"},
		{"fd00::/64", 65535, "fd00::ffff"},
	} {
		if got := nth(netip.MustParsePrefix(c.prefix), c.n); got.String() != c.want {
			t.Errorf("%d of %s: %s, want %s", c.n, c.prefix, got, c.want)
		}
	}
}

// Ports of the board that pods have, also those of sidecars; an address that is none opens nothing, all addresses are none.
func TestHostPorts(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	ports := func(list ...corev1.ContainerPort) corev1.Container { return corev1.Container{Ports: list} }
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{ports(
			corev1.ContainerPort{ContainerPort: 1}, corev1.ContainerPort{HostPort: 80}, corev1.ContainerPort{HostPort: 53, Protocol: corev1.ProtocolUDP, HostIP: "127.0.0.1"},
			corev1.ContainerPort{HostPort: 81, HostIP: "0.0.0.0"}, corev1.ContainerPort{HostPort: 82, HostIP: "::"}, corev1.ContainerPort{HostPort: 83, HostIP: "board"},
			corev1.ContainerPort{HostPort: 84, HostIP: "::ffff:10.0.0.1"},
		)},
		InitContainers: []corev1.Container{ports(corev1.ContainerPort{HostPort: 90}), {RestartPolicy: &always, Ports: []corev1.ContainerPort{{HostPort: 91}}}},
	}}
	b := &builder{hostPorts: map[string][]hostPort{}}
	b.addHostPorts(p)
	want := map[string]string{"TCP/80": "", "UDP/53": "127.0.0.1", "TCP/81": "", "TCP/82": "", "TCP/84": "10.0.0.1", "TCP/91": ""}
	if len(b.hostPorts) != len(want) {
		t.Errorf("%v", b.hostPorts)
	}
	for key, ip := range want {
		list := b.hostPorts[key]
		if len(list) != 1 || list[0].pod != "default/p" || list[0].ip.IsValid() != (ip != "") || ip != "" && list[0].ip.String() != ip {
			t.Errorf("%s: %v, want %q", key, list, ip)
		}
	}
}

// Names are served as soon as they are new, also when they cannot be kept for the next daemon, and the same ones once.
func TestZoneIsServedOnce(t *testing.T) {
	dir := t.TempDir()
	s, w := newSyncer(dir)
	zone := Zone{Services: []dns.Service{{Namespace: "default", Name: "web", Addrs: []netip.Addr{netip.MustParseAddr("10.43.0.5")}}}}
	s.syncZone(zone)
	s.syncZone(zone)
	if w.zones != 1 {
		t.Errorf("the same names are served %d times", w.zones)
	}
	again, _ := newSyncer(dir)
	if got := again.ReadZone(); got == nil || len(got.Services) != 1 || got.Services[0].Name != "web" {
		t.Errorf("the next daemon knows %+v", got)
	}

	var log strings.Builder
	s.Log, s.ZoneFile = slog.New(slog.NewTextHandler(&log, nil)), filepath.Join(dir, "none", "names.json")
	s.syncZone(Zone{})
	if w.zones != 2 || !strings.Contains(log.String(), "names would be out for longer if podd died") {
		t.Errorf("%d zones; %s", w.zones, log.String())
	}
	if _, err := os.Stat(s.ZoneFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	// It is written when that goes again, and said and served no second time.
	s.syncZone(Zone{})
	if err := os.Mkdir(filepath.Dir(s.ZoneFile), 0o700); err != nil {
		t.Fatal(err)
	}
	s.syncZone(Zone{})
	if _, err := os.Stat(s.ZoneFile); err != nil {
		t.Error(err)
	}
	if w.zones != 2 || strings.Count(log.String(), "out for longer") != 1 {
		t.Errorf("%d zones; %s", w.zones, log.String())
	}
}
