package netns

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns/namespace"
	"podd/netns/nft"
	"podd/netns/nstest"
)

func clusterIPs() []netip.Addr {
	return []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd00:96::1")}
}

// serviceOf puts pods behind one Service.
func serviceOf(proto Protocol, pods ...testPod) ServicePort {
	p := ServicePort{Name: "default/web:" + proto.String(), Protocol: proto, ClusterIPs: clusterIPs(), Port: 80, NodePort: 30080}
	for _, pod := range pods {
		for _, ip := range pod.IPs() {
			p.Endpoints = append(p.Endpoints, Endpoint{Addr: netip.AddrPortFrom(ip, 8080)})
		}
	}
	return p
}

func newServiceNetwork(t testing.TB, change ...func(*Config)) (*Network, string) {
	t.Helper()
	nstest.NeedRoot(t)
	c := Config{
		CIDR: netip.MustParsePrefix("10.88.0.0/24"), CIDR6: netip.MustParsePrefix("fd00:88::/64"), LeaseDir: t.TempDir(),
		ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16"), netip.MustParsePrefix("fd00:96::/112")},
	}
	for _, f := range change {
		f(&c)
	}
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.RemoveHost(); err != nil {
			t.Error(err)
		}
	})
	return n, newSandboxRoot(t)
}

func apply(t testing.TB, n *Network, table ...ServicePort) {
	t.Helper()
	if err := n.Services().Apply(table); err != nil {
		t.Fatal(err)
	}
}

func TestServices(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	a.serve(t, 8080)
	b.serve(t, 8080)
	for _, proto := range []Protocol{TCP, UDP} {
		apply(t, n, serviceOf(proto, a))
		// From a pod, from the node, and from the endpoint itself, which then sees the node instead of itself.
		for _, c := range []struct{ ns, to, sees string }{
			{b.ns, "10.96.0.1:80", b.IP.String()},
			{b.ns, "[fd00:96::1]:80", b.IP6.String()},
			{"", "10.96.0.1:80", "10.88.0.1"},
			{"", "[fd00:96::1]:80", "fd00:88::1"},
			{a.ns, "10.96.0.1:80", "10.88.0.1"},
			{a.ns, "[fd00:96::1]:80", "fd00:88::1"},
			{b.ns, "10.88.0.1:30080", b.IP.String()},
			{b.ns, "[fd00:88::1]:30080", b.IP6.String()},
			{"", "10.88.0.1:30080", "10.88.0.1"},
		} {
			if seen := wantAnswer(t, c.ns, proto, c.to, "a"); seen != c.sees {
				t.Errorf("%s at %s from %q: a sees %s, want %s", proto, c.to, c.ns, seen, c.sees)
			}
		}
		for _, ns := range []string{b.ns, ""} {
			wantRefused(t, ns, proto, "10.96.0.1:81")
			wantRefused(t, ns, proto, "[fd00:96::1]:81")
		}
	}
	apply(t, n, serviceOf(TCP))
	for _, ns := range []string{b.ns, ""} {
		wantRefused(t, ns, TCP, "10.96.0.1:80")
		wantRefused(t, ns, TCP, "[fd00:96::1]:80")
		wantRefused(t, ns, TCP, "10.88.0.1:30080")
	}
}

func TestServiceSpreads(t *testing.T) {
	n, root := newServiceNetwork(t)
	var pods []testPod
	for i := range 3 {
		p := newTestPod(t, n, root, Pod{ID: fmt.Sprint("p", i)})
		p.serve(t, 8080)
		pods = append(pods, p)
	}
	s := serviceOf(TCP, pods...)
	apply(t, n, s)
	for _, p := range pods {
		wantAnswer(t, pods[0].ns, TCP, netip.AddrPortFrom(p.IP, 8080).String(), p.id)
	}
	hits := map[string]int{}
	for range 60 {
		name, _, err := ask(pods[0].ns, TCP, "10.96.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		hits[name]++
	}
	if len(hits) != 3 {
		t.Errorf("60 connections reached %v", hits)
	}
	// With affinity they stay together, as long as their endpoint is there.
	s.Affinity = time.Minute
	apply(t, n, s)
	first, _, err := ask(pods[0].ns, TCP, "10.96.0.1:80")
	for range 20 {
		if name, _, again := ask(pods[0].ns, TCP, "10.96.0.1:80"); err != nil || again != nil || name != first {
			t.Fatalf("reached %q, then %q, %v, %v", first, name, err, again)
		}
	}
	var others []testPod
	for _, p := range pods {
		if p.id != first {
			others = append(others, p)
		}
	}
	s.Endpoints = serviceOf(TCP, others...).Endpoints
	apply(t, n, s)
	for range 5 {
		if name, _, err := ask(pods[0].ns, TCP, "10.96.0.1:80"); err != nil || name == first {
			t.Errorf("reached %q, %v, which is an endpoint no more", name, err)
		}
	}
}

// A connection lives on when its endpoint leaves the table, whatever changes beside it.
func TestConnectionsOutliveChanges(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	a.serve(t, 8080)
	b.serve(t, 8080)
	apply(t, n, serviceOf(TCP, a))
	fd, err := open(b.ns, TCP, netip.MustParseAddrPort("10.96.0.1:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if name, _, err := hear(fd, TCP); err != nil || name != "a" {
		t.Fatal(name, err)
	}
	echo := func(when string) {
		t.Helper()
		if _, err := unix.Write(fd, []byte("still there?")); err != nil {
			t.Fatal(when, err)
		}
		buf := make([]byte, 100)
		if size, err := unix.Read(fd, buf); err != nil || string(buf[:size]) != "still there?" {
			t.Fatalf("%s: %q, %v", when, buf[:max(size, 0)], err)
		}
	}
	echo("at first")
	apply(t, n, serviceOf(TCP, b))
	echo("with another endpoint")
	wantAnswer(t, b.ns, TCP, "10.96.0.1:80", "b")
	apply(t, n)
	echo("without the Service")
	if err := n.rules.tampered(); err != nil {
		t.Fatal(err)
	}
	echo("after the rules were written anew")
}

// UDP has no connections: what the kernel remembers would lead a client to a dead endpoint for minutes.
func TestUDPFollowsTheEndpoints(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	a.serve(t, 8080)
	b.serve(t, 8080)
	for _, to := range []string{"10.96.0.1:80", "[fd00:96::1]:80"} {
		apply(t, n, serviceOf(UDP, a))
		fd, err := open(b.ns, UDP, netip.MustParseAddrPort(to))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			pods []testPod
			want string
		}{{[]testPod{a}, "a"}, {[]testPod{b}, "b"}, {[]testPod{a}, "a"}} {
			apply(t, n, serviceOf(UDP, step.pods...))
			if name, _, err := hear(fd, UDP); err != nil || name != step.want {
				t.Errorf("%s: %q, %v; want %q", to, name, err, step.want)
			}
		}
		unix.Close(fd)
	}
}

func TestUnchangedServicesAreNotTouched(t *testing.T) {
	n, _ := newServiceNetwork(t)
	one, two := oneService("one", "10.88.0.7:80"), oneService("two", "10.88.0.8:80", "10.88.0.9:80")
	two.ClusterIPs = []netip.Addr{netip.MustParseAddr("10.96.0.2")}
	apply(t, n, one, two)
	before := generation(t)
	apply(t, n, two, one)
	if now := generation(t); now != before {
		t.Error("the same table again is a change")
	}
	b := nft.NewBatch("podd")
	empty := len(b.Buf)
	one.Endpoints[0].Addr = netip.MustParseAddrPort("10.88.0.5:80")
	nft.Difference(b, n.rules.have, nft.Merge(n.rules.base, n.rules.ports, n.rules.policies, renderServices(ServiceTable{one, two})))
	if size := len(b.Buf) - empty; size == 0 || size > 1500 {
		t.Errorf("one endpoint of another Service's is a change of %d bytes", size)
	}
}

func TestServicesRefuseDoubles(t *testing.T) {
	n, _ := newServiceNetwork(t)
	a, b := oneService("a", "10.88.0.7:80"), oneService("b", "10.88.0.8:80")
	if err := n.Services().Apply(ServiceTable{a, b}); err == nil {
		t.Error("two Services with one address were taken")
	}
}

func manyEndpoints(count int) ServicePort {
	p := oneService("many")
	ip, ip6 := netip.MustParseAddr("10.90.0.0"), netip.MustParseAddr("fd00:90::")
	for range count {
		ip, ip6 = ip.Next(), ip6.Next()
		p.Endpoints = append(p.Endpoints, Endpoint{Addr: netip.AddrPortFrom(ip, 80)}, Endpoint{Addr: netip.AddrPortFrom(ip6, 80)})
	}
	return p
}

func TestManyEndpoints(t *testing.T) {
	n, _ := newServiceNetwork(t)
	for _, count := range []int{5000, 1, 0, 700} {
		apply(t, n, manyEndpoints(count))
	}
}

// BenchmarkEndpoints applies a thousand endpoints in each family where there were none.
func BenchmarkEndpoints(b *testing.B) {
	n, _ := newServiceNetwork(b)
	p := manyEndpoints(1000)
	for b.Loop() {
		apply(b, n, p)
		b.StopTimer()
		apply(b, n)
		b.StartTimer()
	}
}

// What a client has begun over UDP goes on until the terminating endpoint has gone, while others go elsewhere.
func TestUDPGoesOnWithATerminatingEndpoint(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	a.serve(t, 8080)
	b.serve(t, 8080)
	apply(t, n, serviceOf(UDP, a))
	fd, err := open(b.ns, UDP, netip.MustParseAddrPort("10.96.0.1:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	hears := func(want string) {
		t.Helper()
		if name, _, err := hear(fd, UDP); err != nil || name != want {
			t.Errorf("%q, %v; want %q", name, err, want)
		}
	}
	hears("a")
	s := serviceOf(UDP, a, b)
	s.Endpoints[0].Terminating, s.Endpoints[1].Terminating = true, true
	apply(t, n, s)
	hears("a")
	wantAnswer(t, b.ns, UDP, "10.96.0.1:80", "b")
	apply(t, n, serviceOf(UDP, b))
	hears("b")
}

// New connections go to terminating endpoints only where no other is left: of the node, for a Local policy. KEP-1669
func TestTerminatingEndpointsAreTheLastResort(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	a.serve(t, 8080)
	b.serve(t, 8080)
	world := filepath.Join(root, "outside")
	if err := namespace.EnsureSandbox(world, namespace.SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	uplink(t, n, world)
	for _, proto := range []Protocol{TCP, UDP} {
		s := serviceOf(proto, a, b)
		s.Endpoints[0].Terminating, s.Endpoints[1].Terminating = true, true // both families of a
		apply(t, n, s)
		for range 10 {
			wantAnswer(t, b.ns, proto, "10.96.0.1:80", "b")
			wantAnswer(t, b.ns, proto, "[fd00:96::1]:80", "b")
		}
		// For Local policies b is elsewhere.
		s.ExternalLocal = true
		s.Endpoints[2].Remote, s.Endpoints[3].Remote = true, true
		apply(t, n, s)
		for range 5 {
			wantAnswer(t, "", proto, "10.96.0.1:80", "b")
			wantAnswer(t, b.ns, proto, "10.88.0.1:30080", "b") // pods are not outside
			wantAnswer(t, filepath.Join(world, "net"), proto, "192.0.2.1:30080", "a")
		}
		s.ExternalLocal, s.Endpoints = false, s.Endpoints[:2]
		apply(t, n, s)
		for range 5 {
			wantAnswer(t, b.ns, proto, "10.96.0.1:80", "a")
			wantAnswer(t, b.ns, proto, "[fd00:96::1]:80", "a")
		}
	}
}

// Clients stay with their endpoints when the table is written anew, and no longer than they would have.
func TestClientsAreRemembered(t *testing.T) {
	n, root := newServiceNetwork(t)
	var pods []testPod
	for i := range 4 {
		p := newTestPod(t, n, root, Pod{ID: fmt.Sprint("p", i)})
		p.serve(t, 8080)
		pods = append(pods, p)
	}
	s := serviceOf(TCP, pods...)
	s.Affinity = time.Hour
	apply(t, n, s)
	before := map[string]string{}
	for _, p := range pods {
		for _, to := range []string{"10.96.0.1:80", "[fd00:96::1]:80"} {
			name, _, err := ask(p.ns, TCP, to)
			if err != nil {
				t.Fatal(err)
			}
			before[p.id+to] = name
		}
	}
	if err := n.rules.tampered(); err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		for _, to := range []string{"10.96.0.1:80", "[fd00:96::1]:80"} {
			wantAnswer(t, p.ns, TCP, to, before[p.id+to])
		}
	}
	n.rules.mu.Lock()
	defer n.rules.mu.Unlock()
	known, err := n.rules.conn.Clients(n.rules.name, n.rules.services)
	if err != nil || len(known) != 2 {
		t.Fatalf("%d sets of clients, %v", len(known), err)
	}
	for name, list := range known {
		if len(list) != len(pods) {
			t.Errorf("%s has %d clients", name, len(list))
		}
		for _, c := range list {
			if c.Left == 0 || c.Left > uint64(time.Hour/time.Millisecond) {
				t.Errorf("a client has %d ms left", c.Left)
			}
		}
	}
}

// BenchmarkClients writes the table anew with as many clients as a set holds.
func BenchmarkClients(b *testing.B) {
	n, _ := newServiceNetwork(b)
	s := manyEndpoints(10)
	s.Affinity = time.Hour
	apply(b, n, s)
	want := renderServices(ServiceTable{s})
	fill := nft.NewBatch(n.rules.name)
	for name, set := range want.Sets {
		if set.Timeout == 0 || set.Key[0] != nft.Field4 {
			continue
		}
		var list []nft.Client
		for i := range nft.DynamicSize {
			ip := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
			list = append(list, nft.Client{Element: nft.Element{Key: nft.KeyOf(ip.AsSlice()), Value: nft.AddrPortValue(s.Endpoints[0].Addr)}, Left: 1000000})
		}
		fill.Remember(want.Sets[name], list)
	}
	if err := n.rules.conn.Commit(fill); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := n.rules.tampered(); err != nil {
			b.Fatal(err)
		}
	}
}
