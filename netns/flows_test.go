package netns

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/namespace"
)

// sender is a UDP client that keeps its port.
type sender struct {
	ns, to string
	fd     int
}

func newSender(t *testing.T, ns, to string) sender {
	t.Helper()
	fd, err := open(ns, UDP, netip.MustParseAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return sender{ns, to, fd}
}

// send sends once and returns who answers, "" for nobody.
func (s sender) send(t *testing.T) string {
	t.Helper()
	_, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR) // of the packet before
	name, _, err := hear(s.fd, UDP)
	if err != nil && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EHOSTUNREACH) {
		t.Fatalf("%s from %q: %v", s.to, s.ns, err)
	}
	return name
}

// Whoever sends to a server over UDP, through whatever translation, is answered by the server of now: by its first one too,
// which was not there when the client began.
func TestUDPClientsFindTheServerOfNow(t *testing.T) {
	for name, c := range map[string]struct {
		port    HostPort // of the pods
		service *ServicePort
		to      []string // from the node and from a pod
		outside string
	}{
		"host port": {
			port: HostPort{Protocol: UDP, HostPort: 9009, Container: 8080},
			to:   []string{"10.88.0.1:9009", "[fd00:88::1]:9009"}, outside: "192.0.2.1:9009",
		},
		"host port of an address": {
			port: HostPort{Protocol: UDP, HostPort: 9009, Container: 8080, HostIP: netip.MustParseAddr("192.0.2.1")},
			to:   []string{"192.0.2.1:9009"}, outside: "192.0.2.1:9009",
		},
		"host port of all IPv4 addresses": {
			port: HostPort{Protocol: UDP, HostPort: 9009, Container: 8080, HostIP: netip.IPv4Unspecified()},
			to:   []string{"192.0.2.1:9009"}, outside: "192.0.2.1:9009",
		},
		"host port of an IPv6 address": {
			port: HostPort{Protocol: UDP, HostPort: 9009, Container: 8080, HostIP: netip.MustParseAddr("fd00:88::1")},
			to:   []string{"[fd00:88::1]:9009"},
		},
		"node port": {
			service: &ServicePort{NodePort: 30080, Port: 80, ClusterIPs: clusterIPs()},
			to:      []string{"10.88.0.1:30080", "[fd00:88::1]:30080"}, outside: "192.0.2.1:30080",
		},
		"cluster IP": {
			service: &ServicePort{Port: 80, ClusterIPs: clusterIPs()},
			to:      []string{"10.96.0.1:80", "[fd00:96::1]:80"},
		},
		"load balancer": {
			service: &ServicePort{Port: 80, ClusterIPs: clusterIPs(), External: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fd00:88::1")}},
			to:      []string{"192.0.2.1:80", "[fd00:88::1]:80"}, outside: "192.0.2.1:80",
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, root := newServiceNetwork(t)
			world := filepath.Join(root, "outside")
			if err := namespace.EnsureSandbox(world, namespace.SandboxOptions{Net: true}); err != nil {
				t.Fatal(err)
			}
			uplink(t, n, world)
			apply(t, n)
			client := newTestPod(t, n, root, Pod{ID: "client"})
			var senders []sender
			for _, to := range c.to {
				senders = append(senders, newSender(t, client.ns, to), newSender(t, "", to))
			}
			if c.outside != "" {
				senders = append(senders, newSender(t, filepath.Join(world, "net"), c.outside))
			}
			if c.port.HostPort != 0 && !c.port.HostIP.IsValid() {
				senders = append(senders, newSender(t, "", "127.0.0.1:9009"))
			}
			for _, s := range senders {
				if got := s.send(t); got != "" {
					t.Fatalf("%s from %q: %q answers before there is a pod", s.to, s.ns, got)
				}
			}
			for _, id := range []string{"first", "second"} {
				p := Pod{ID: id}
				if c.service == nil {
					p.Ports = []HostPort{c.port}
				}
				pod := newTestPod(t, n, root, p)
				pod.serve(t, 8080)
				if c.service != nil {
					s := *c.service
					s.Name, s.Protocol = "default/web:", UDP
					for _, ip := range pod.IPs() {
						s.Endpoints = append(s.Endpoints, Endpoint{Addr: netip.AddrPortFrom(ip, 8080)})
					}
					apply(t, n, s)
				}
				for _, s := range senders {
					for range 2 {
						if got := s.send(t); got != id {
							t.Errorf("%s from %q: %q answers, want %q", s.to, s.ns, got, id)
						}
					}
				}
				if id == "first" && c.service == nil {
					if err := n.Detach(id); err != nil {
						t.Fatal(err)
					}
				}
			}
			apply(t, n)
		})
	}
}

// A Service that gives up a port leaves no flow that still leads to its pods.
func TestUDPOfAPortThatIsGivenUp(t *testing.T) {
	n, root := newServiceNetwork(t)
	a := newTestPod(t, n, root, Pod{ID: "a"})
	a.serve(t, 8080)
	s := serviceOf(UDP, a)
	apply(t, n, s)
	sender := newSender(t, "", "10.88.0.1:30080")
	if got := sender.send(t); got != "a" {
		t.Fatalf("%q answers", got)
	}
	s.NodePort = 30081
	apply(t, n, s)
	if got := sender.send(t); got != "" {
		t.Errorf("%q answers at a port that it has given up", got)
	}
}

// flowsOf counts what the kernel remembers of an address.
func flowsOf(t *testing.T, ip netip.Addr) int {
	t.Helper()
	count := 0
	if err := forgetFlows(func(f *flow) bool {
		if f.client.Addr() == ip || f.server.Addr() == ip || f.from.Addr() == ip || f.to.Addr() == ip {
			count++
		}
		return false
	}); err != nil {
		t.Fatal(err)
	}
	return count
}

// The next pod that has an address gets nothing of what was sent to the last.
func TestFlowsEndWithTheirPod(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	b.serve(t, 8080)
	for _, proto := range []Protocol{TCP, UDP} {
		for _, ip := range b.IPs() {
			wantAnswer(t, a.ns, proto, netip.AddrPortFrom(ip, 8080).String(), "b")
		}
	}
	before := flowsOf(t, a.IP)
	if before == 0 || flowsOf(t, b.IP) == 0 || flowsOf(t, b.IP6) == 0 {
		t.Fatalf("flows: %d of a, %d and %d of b", before, flowsOf(t, b.IP), flowsOf(t, b.IP6))
	}
	if err := n.Detach("b"); err != nil {
		t.Fatal(err)
	}
	for _, ip := range b.IPs() {
		if left := flowsOf(t, ip); left != 0 {
			t.Errorf("%d flows of %s are left", left, ip)
		}
	}
	newTestPod(t, n, root, Pod{ID: "c"})
	if err := n.Collect(map[string]bool{"c": true}); err != nil {
		t.Fatal(err)
	}
	if left := flowsOf(t, a.IP); left != 0 {
		t.Errorf("%d flows of a pod that was collected are left", left)
	}
}

// What a pod sends out while podd's rules are not there is not stuck with the pod's own address for ever.
func TestUDPThatBeganWithoutRules(t *testing.T) {
	n, root := newServiceNetwork(t)
	world := filepath.Join(root, "outside")
	if err := namespace.EnsureSandbox(world, namespace.SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	uplink(t, n, world)
	a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: UDP, HostPort: 9009, Container: 8080}}})
	a.serve(t, 8080)
	serveIn(t, filepath.Join(world, "net"), "world", 7)
	out, in := newSender(t, a.ns, "192.0.2.2:7"), newSender(t, filepath.Join(world, "net"), "192.0.2.1:9009")
	if err := n.rules.remove(); err != nil {
		t.Fatal(err)
	}
	if got := in.send(t); got != "" {
		t.Fatalf("%q answers without rules", got)
	}
	out.send(t)
	if err := n.repairer.repair(hintRules); err != nil {
		t.Fatal(err)
	}
	if got := in.send(t); got != "a" {
		t.Errorf("%q answers from within, want the pod", got)
	}
	if name, seen, err := hear(out.fd, UDP); err != nil || name != "world" || seen != "192.0.2.1" {
		t.Errorf("%q answers from outside and sees %q, %v; want the node's address", name, seen, err)
	}
}

// sctpInit is the first packet of an association. RFC 9260
func sctpInit(from, to uint16) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from), to)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)                                      // verification tag, checksum
	b = append(b, 1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1) // INIT
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// A client that tries to begin an association from one port reaches the pod that comes meanwhile.
func TestSCTPFindsTheServerOfNow(t *testing.T) {
	n, root := newServiceNetwork(t)
	// The kernel would forget the attempt by itself before a slow machine has made the pod.
	err := os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_cookie_wait", []byte("600"), 0)
	if err != nil {
		t.Skip("no connection tracking of SCTP: ", err)
	}
	client := newTestPod(t, n, root, Pod{ID: "client"})
	raw := func(ns string) (fd int) {
		t.Helper()
		err := inside(ns, func() (err error) {
			fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	sender := raw(client.ns)
	send := func() {
		t.Helper()
		if err := unix.Sendto(sender, sctpInit(5000, 9009), 0, &unix.SockaddrInet4{Addr: [4]byte{10, 88, 0, 1}}); err != nil {
			t.Fatal(err)
		}
	}
	send()
	if flowsOf(t, client.IP) == 0 {
		t.Fatal("the kernel does not remember the attempt")
	}
	for _, id := range []string{"first", "second"} {
		pod := newTestPod(t, n, root, Pod{ID: id, Ports: []HostPort{{Protocol: SCTP, HostPort: 9009, Container: 9009}}})
		receiver := raw(pod.ns)
		send()
		buf := make([]byte, 200)
		if err := uninterrupted(func() error { _, err := unix.Read(receiver, buf); return err }); err != nil {
			t.Errorf("the %s pod gets nothing: %v", id, err)
		}
		if err := n.Detach(id); err != nil {
			t.Fatal(err)
		}
	}
}

// Connections that stand are left alone, whatever the rules say now; so is everything that is not to a frontend.
func TestMisledFlows(t *testing.T) {
	at := netip.MustParseAddrPort
	f := frontends{
		{UDP, at("10.96.0.1:80")}:   {at("10.88.0.2:8080"): true, at("10.88.0.3:8080"): true},
		{UDP, at("0.0.0.0:9009")}:   {at("10.88.0.2:9"): true},
		{UDP, at("[::]:9010")}:      {at("[fd00:88::2]:9"): true},
		{UDP, at("0.0.0.0:53")}:     {at("10.88.0.2:53"): true},
		{UDP, at("0.0.0.0:9011")}:   {},
		{SCTP, at("10.96.0.1:80")}:  {at("10.88.0.2:8080"): true},
		{UDP, at("192.0.2.1:9012")}: {at("10.88.0.2:9"): true},
	}
	local := map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true, netip.MustParseAddr("2001:db8::1"): true}
	for name, c := range map[string]struct {
		protocol     Protocol
		server, from string
		status       uint32
		want         bool
	}{
		"to an endpoint":                {UDP, "10.96.0.1:80", "10.88.0.3:8080", ctAssured, false},
		"to one that has gone":          {UDP, "10.96.0.1:80", "10.88.0.4:8080", ctAssured, true},
		"to another port of one":        {UDP, "10.96.0.1:80", "10.88.0.3:8081", 0, true},
		"never translated":              {UDP, "10.96.0.1:80", "10.96.0.1:80", 0, true},
		"to the node itself":            {UDP, "192.0.2.1:9009", "192.0.2.1:9009", 0, true},
		"to its loopback":               {UDP, "127.0.0.1:9009", "127.0.0.1:9009", 0, true},
		"to its pod":                    {UDP, "192.0.2.1:9009", "10.88.0.2:9", 0, false},
		"to the node over IPv6":         {UDP, "[2001:db8::1]:9010", "[2001:db8::1]:9010", 0, true},
		"of another family":             {UDP, "[2001:db8::1]:9009", "[2001:db8::1]:9009", 0, false},
		"to somebody else's server":     {UDP, "8.8.8.8:53", "8.8.8.8:53", ctAssured | ctSourceNAT, false},
		"to a port that is given up":    {UDP, "192.0.2.1:9011", "10.88.0.2:9", 0, true},
		"to a process that has it then": {UDP, "192.0.2.1:9011", "192.0.2.1:9011", 0, false},
		"to a port of one address":      {UDP, "192.0.2.1:9012", "192.0.2.1:9012", 0, true},
		"of an attempt":                 {SCTP, "10.96.0.1:80", "10.88.0.4:8080", 0, true},
		"of an association":             {SCTP, "10.96.0.1:80", "10.88.0.4:8080", ctAssured, false},
		"of another protocol":           {TCP, "10.96.0.1:80", "10.88.0.4:8080", 0, false},
	} {
		w := &flow{protocol: c.protocol, server: at(c.server), from: at(c.from), status: c.status}
		if got := f.isStale(w, local); got != c.want {
			t.Errorf("%s: isStale is %v", name, got)
		}
	}
}
