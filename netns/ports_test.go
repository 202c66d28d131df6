package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"podd/netns/namespace"
	"podd/netns/nft"
)

func TestHostPorts(t *testing.T) {
	n, root := newServiceNetwork(t)
	outside := filepath.Join(root, "outside")
	if err := namespace.EnsureSandbox(outside, namespace.SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	uplink(t, n, outside)
	any6 := netip.IPv6Unspecified()
	a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{
		{Protocol: TCP, HostPort: 80, Container: 8080},
		{Protocol: UDP, HostPort: 80, Container: 8080},
		{Protocol: SCTP, HostPort: 80, Container: 8080},
		{HostIP: netip.MustParseAddr("192.0.2.1"), Protocol: TCP, HostPort: 81, Container: 8080},
		{HostIP: netip.MustParseAddr("127.0.0.1"), Protocol: TCP, HostPort: 83, Container: 8080},
		{HostIP: any6, Protocol: TCP, HostPort: 84, Container: 8080},
	}})
	b := newTestPod(t, n, root, Pod{ID: "b", Ports: []HostPort{{HostIP: netip.MustParseAddr("127.0.0.1"), Protocol: TCP, HostPort: 81, Container: 8080}}})
	a.serve(t, 8080)
	b.serve(t, 8080)
	out := filepath.Join(outside, "net")
	for _, c := range []struct {
		ns    string
		proto Protocol
		to    string
		name  string
		sees  string
	}{
		{out, TCP, "192.0.2.1:80", "a", "192.0.2.2"},
		{out, UDP, "192.0.2.1:80", "a", "192.0.2.2"},
		{out, TCP, "192.0.2.1:81", "a", "192.0.2.2"},
		{b.ns, TCP, "192.0.2.1:80", "a", b.IP.String()},
		{b.ns, TCP, "10.88.0.1:80", "a", b.IP.String()},
		{b.ns, TCP, "[fd00:88::1]:80", "a", b.IP6.String()},
		{b.ns, UDP, "[fd00:88::1]:80", "a", b.IP6.String()},
		{b.ns, TCP, "[fd00:88::1]:84", "a", b.IP6.String()},
		{"", TCP, "127.0.0.1:80", "a", ""},
		{"", UDP, "127.0.0.1:80", "a", ""},
		{"", TCP, "127.0.0.1:81", "b", ""},
		{"", TCP, "127.0.0.1:83", "a", ""},
		{"", TCP, "192.0.2.1:80", "a", ""},
		{"", TCP, "[fd00:88::1]:80", "a", ""},
		// Hairpin: the pod meets itself.
		{a.ns, TCP, "192.0.2.1:80", "a", ""},
		{a.ns, TCP, "[fd00:88::1]:80", "a", ""},
	} {
		if seen := wantAnswer(t, c.ns, c.proto, c.to, c.name); c.sees != "" && seen != c.sees {
			t.Errorf("%s at %s from %q: the pod sees %s, want %s", c.proto, c.to, c.ns, seen, c.sees)
		}
	}
	wantRefused(t, "", TCP, "[::1]:80")
	wantRefused(t, out, TCP, "192.0.2.1:83")
	wantRefused(t, "", TCP, "127.0.0.1:84")
	if err := n.Detach("b"); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, "", TCP, "127.0.0.1:81")
}

// The way to the node's loopback that host ports open is one way: a pod that may send raw packets reaches
// nothing there.
func TestPodsStayOffTheLoopback(t *testing.T) {
	n, root := newServiceNetwork(t)
	a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: TCP, HostPort: 80, Container: 8080}}})
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9090})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	gate, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 88, 0, 1), Port: 9090})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	for _, c := range []struct {
		from, to string
		passes   bool
		at       *net.UDPConn
	}{
		{"10.88.0.2", "10.88.0.1", true, gate},
		{"10.88.0.2", "127.0.0.1", false, u},
		{"10.88.0.77", "10.88.0.1", false, gate}, // nor does it send as another
	} {
		a.sendIP(t, udpPacket(netip.AddrPortFrom(netip.MustParseAddr(c.from), 4000), netip.AddrPortFrom(netip.MustParseAddr(c.to), 9090), "?"))
		// Delivery takes place within sendto, but for the moment that a processor's queue takes.
		_ = c.at.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, _, err := c.at.ReadFrom(make([]byte, 100))
		if passes := err == nil; passes != c.passes {
			t.Errorf("from %s to %s: passes %v, want %v", c.from, c.to, passes, c.passes)
		}
	}
}

func TestPortsInConflict(t *testing.T) {
	n, root := newServiceNetwork(t)
	at := func(ip string, port uint16, proto Protocol) HostPort {
		p := HostPort{Protocol: proto, HostPort: port, Container: 80}
		if ip != "" {
			p.HostIP = netip.MustParseAddr(ip)
		}
		return p
	}
	newTestPod(t, n, root, Pod{ID: "a", Name: "default/a", Ports: []HostPort{at("", 80, TCP), at("127.0.0.1", 81, UDP)}})
	l, err := net.Listen("tcp", "127.0.0.1:82")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp6", "[::1]:83")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	all, err := net.Listen("tcp", ":85")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for i, c := range []struct {
		port HostPort
		why  string
	}{
		{at("", 80, TCP), `host port 80/TCP belongs to pod "default/a"`},
		{at("127.0.0.1", 80, TCP), `host port 127.0.0.1:80/TCP belongs to pod "default/a"`},
		{at("", 80, UDP), ""},
		{at("10.88.0.1", 81, UDP), ""},
		{at("0.0.0.0", 81, UDP), `belongs to pod "default/a"`},
		{at("", 82, TCP), ""}, // on all other addresses
		{at("127.0.0.1", 82, TCP), "is used by a process"},
		{at("10.88.0.1", 82, TCP), ""},
		{at("", 82, UDP), ""},
		{at("", 83, UDP), ""},
		{at("", 85, TCP), "host port 85/TCP is used by "},
		{at("127.0.0.1", 85, TCP), "write a hostIP that it does not listen on"},
		{at("", 84, SCTP), ""},
	} {
		id := fmt.Sprint("p", i)
		dir := filepath.Join(root, id)
		if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
			t.Fatal(err)
		}
		_, err := n.Attach(Pod{ID: id, NetNS: filepath.Join(dir, "net"), Ports: []HostPort{c.port}})
		if c.port == at("", 82, TCP) { // the pod has the port on all other addresses, where nobody answers
			conn, err := net.DialTimeout("tcp", "127.0.0.1:82", 5*time.Second)
			if err != nil {
				t.Errorf("the machine's own listener is not reached: %v", err)
			} else {
				_ = conn.Close()
			}
		}
		switch {
		case c.why == "" && err != nil:
			t.Errorf("%s: %v", c.port, err)
		case c.why != "" && (!errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: %v, want %q", c.port, err, c.why)
		}
		if err := n.Detach(id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPortLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limit func(*Config)
		open  bool
	}{
		"the uplink":      {func(c *Config) { c.PortInterfaces = []string{"lan0", "uplink"} }, true},
		"another":         {func(c *Config) { c.PortInterfaces = []string{"lan0"} }, false},
		"the network":     {func(c *Config) { c.PortSources = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/25")} }, true},
		"another network": {func(c *Config) { c.PortSources = []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")} }, false},
		"IPv6 alone":      {func(c *Config) { c.PortSources = []netip.Prefix{netip.MustParsePrefix("fd00::/8")} }, false},
		"neither overlaps": {func(c *Config) {
			c.PortSources = []netip.Prefix{netip.MustParsePrefix("192.0.0.0/16"), netip.MustParsePrefix("192.0.2.0/24")}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			n, root := newServiceNetwork(t, c.limit)
			outside := filepath.Join(root, "outside")
			if err := namespace.EnsureSandbox(outside, namespace.SandboxOptions{Net: true}); err != nil {
				t.Fatal(err)
			}
			uplink(t, n, outside)
			a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: TCP, HostPort: 80, Container: 8080}}})
			b := newTestPod(t, n, root, Pod{ID: "b"})
			a.serve(t, 8080)
			s := serviceOf(TCP, a)
			s.HealthPort = 30081
			apply(t, n, s)
			serveIn(t, "", "node", 30081)
			wantAnswer(t, b.ns, TCP, "192.0.2.1:30081", "node")
			wantAnswer(t, "", TCP, "192.0.2.1:30081", "node")
			if c.open {
				wantAnswer(t, filepath.Join(outside, "net"), TCP, "192.0.2.1:30081", "node")
			} else {
				wantSilence(t, filepath.Join(outside, "net"), TCP, "192.0.2.1:30081")
			}
			for _, port := range []string{"80", "30080"} {
				wantAnswer(t, b.ns, TCP, "192.0.2.1:"+port, "a")
				wantAnswer(t, "", TCP, "192.0.2.1:"+port, "a")
				if c.open {
					wantAnswer(t, filepath.Join(outside, "net"), TCP, "192.0.2.1:"+port, "a")
				} else {
					wantRefused(t, filepath.Join(outside, "net"), TCP, "192.0.2.1:"+port)
				}
			}
		})
	}
}

// Limits are what a stream gets at most, and not a fraction of it.
func TestBandwidth(t *testing.T) {
	n, root := newServiceNetwork(t)
	a := newTestPod(t, n, root, Pod{ID: "a", Ingress: 400e6, Egress: 8e9})
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	l := mustLink(t, host, a.HostIf)
	if got := qdiscOf(t, "", l.Index); got != "tbf" {
		t.Errorf("queue towards the pod = %s, want tbf", got)
	}
	if got := qdiscOf(t, a.ns, podLink(t, filepath.Dir(a.ns)).Index); got != "tbf" {
		t.Errorf("queue of the pod = %s, want tbf", got)
	}
	a.serve(t, 8080)
	wantAnswer(t, "", TCP, "10.88.0.2:8080", "a")
}

// qdiscOf names the root queue of a link.
func qdiscOf(t *testing.T, ns string, index int) (kind string) {
	t.Helper()
	err := inside(ns, func() error {
		list, err := netlink.QdiscList(nil)
		for _, q := range list {
			if q.Attrs().LinkIndex == index && q.Attrs().Parent == netlink.HANDLE_ROOT {
				kind = q.Type()
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return kind
}

// Pods that come and go at the same time do not overwrite each other's ports.
func TestHostPortsOfManyAtOnce(t *testing.T) {
	n := newTestNetwork(t, "10.88.12.0/24")
	root := newSandboxRoot(t)
	var pods []Pod
	for i := range uint16(12) {
		id := fmt.Sprintf("pod-%d", i)
		dir := filepath.Join(root, id)
		if err := namespace.EnsureSandbox(dir, namespace.SandboxOptions{Net: true}); err != nil {
			t.Fatal(err)
		}
		pods = append(pods, Pod{ID: id, NetNS: filepath.Join(dir, "net"), Ports: []HostPort{{Protocol: TCP, HostPort: 20000 + i, Container: 80}}})
	}
	all := func(fn func(Pod) error) {
		var wg sync.WaitGroup
		for _, p := range pods {
			wg.Go(func() {
				if err := fn(p); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if !reflect.DeepEqual(n.rules.ports, n.renderPods()) {
			t.Errorf("the rules are %v, want %v", n.rules.ports.Sets, n.renderPods().Sets)
		}
	}
	for range 10 {
		all(func(p Pod) error { _, err := n.Attach(p); return err })
		all(func(p Pod) error { return n.Detach(p.ID) })
		if t.Failed() {
			return
		}
	}
}

// A pod that cannot be attached has no ports: its address may be another's soon.
func TestHostPortsOfAFailedAttachment(t *testing.T) {
	n := newTestNetwork(t, "10.88.14.0/24")
	file := filepath.Join(t.TempDir(), "net")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Attach(Pod{ID: "a", NetNS: file, Ports: []HostPort{{Protocol: TCP, HostPort: 20000, Container: 80}}}); err == nil {
		t.Error("a file is no network namespace")
	}
	if !reflect.DeepEqual(n.rules.ports, n.renderPods()) {
		t.Errorf("the rules are %v", n.rules.ports.Sets)
	}
}

func TestPortsAreRenderedInTurn(t *testing.T) {
	n := newTestNetwork(t, "10.88.13.0/24")
	err := n.rules.setPorts(func() *nft.Ruleset {
		if n.rules.mu.TryLock() {
			n.rules.mu.Unlock()
			t.Error("another may write its rules between")
		}
		return n.renderPods()
	})
	if err != nil {
		t.Error(err)
	}
}
