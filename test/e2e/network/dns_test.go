package network

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// nameServer is an upstream of the test's in a board's network namespace. It knows every name below example.com by
// one address, and nothing else.
type nameServer struct {
	asked atomic.Int32
	conn  *net.UDPConn
}

func nameServerOf(b *harness.Board, address string) *nameServer {
	b.T.Helper()
	return nameServerIn(b, b.Netns(), address)
}

func nameServerIn(b *harness.Board, netns, address string) *nameServer {
	b.T.Helper()
	s := &nameServer{}
	b.Must(lab.InNetns(netns, func() (err error) {
		s.conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(address), Port: 53})
		return err
	}))
	b.T.Cleanup(func() { s.conn.Close() })
	go s.serve()
	return s
}

func (s *nameServer) serve() {
	buf := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil {
			continue
		}
		s.asked.Add(1)
		q := m.Questions[0]
		answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RCode: dnsmessage.RCodeNameError}, Questions: m.Questions}
		if strings.HasSuffix(q.Name.String(), "example.com.") {
			answer.RCode = dnsmessage.RCodeSuccess
			if q.Type == dnsmessage.TypeA {
				answer.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 300},
					Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, 80}},
				}}
			}
		}
		if out, err := answer.Pack(); err == nil {
			_, _ = s.conn.WriteToUDP(out, from)
		}
	}
}

// withConfig makes a board whose daemon has a configuration file, and a resolv.conf of its own.
func withConfig(t *testing.T, resolv string, keys ...string) (harness.Option, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(path, []byte(resolv), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.yaml")
	text := "resolvConf: " + path + "\n" + strings.Join(keys, "\n") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return harness.WithArgs("--config", config), path
}

// Pods of the default policy ask podd, which forwards to the host's servers, also where only the host reaches
// them, and goes on answering when they are gone and when the daemon has been killed.
//
// e2e: DNS :: should provide DNS for the cluster [Provider:GCE]
// e2e: DNS :: should resolve DNS of partial qualified names for the cluster [LinuxOnly]
func TestNamesAreForwardedAndKept(t *testing.T) {
	t.Parallel()
	config, _ := withConfig(t, "search example.com\nnameserver 127.0.0.1\n")
	b := harness.NewEmptyBoard(t, config, harness.WithFDStore)
	up := nameServerOf(b, "127.0.0.1")
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.MustDrop("asker", harness.OnePod("asker", harness.Forever))
	b.Running("asker")
	if got := b.Sh("asker", "main", "cat /etc/resolv.conf"); !strings.HasPrefix(got, "search default.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver ") ||
		!strings.Contains(got, "options ndots:5") || strings.Contains(got, "127.0.0.1") {
		t.Errorf("/etc/resolv.conf is\n%s", got)
	}
	b.Lookup("asker", "www.example.com", "192.0.2.80")
	askWhileDead(b, "dns-version.cluster.local.", dnsmessage.TypeTXT)
	b.Lookup("asker", "www.example.com", "192.0.2.80")
	up.conn.Close()
	b.Lookup("asker", "www.example.com", "192.0.2.80")
}

// askWhileDead kills the daemon and puts one question, once, before there is another one: it waits in the socket.
func askWhileDead(b *harness.Board, name string, typ dnsmessage.Type) {
	b.T.Helper()
	var conn net.Conn
	b.Must(lab.InNetns(b.Netns(), func() (err error) {
		conn, err = net.Dial("udp", gateway(b)+":53")
		return err
	}))
	defer conn.Close()
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}}}
	request, err := m.Pack()
	b.Must(err)
	b.MustKill9()
	_, err = conn.Write(request)
	b.Must(err)
	b.Must(conn.SetReadDeadline(time.Now().Add(harness.Limit)))
	answer := make([]byte, 512)
	n, err := conn.Read(answer)
	b.Must(err)
	if b.Must(m.Unpack(answer[:n])); len(m.Answers) != 1 {
		b.T.Errorf("%s: %+v", name, m)
	}
}

// What the host's resolv.conf says is followed in pods that run, in the file that they have open; what a pod has
// written into it itself is not.
//
// e2e: DNS :: should support configurable pod resolv.conf
// e2e: DNS :: should work with a search path containing an underscore and a search path with a single dot
func TestResolvConfFollowsTheHost(t *testing.T) {
	t.Parallel()
	config, path := withConfig(t, "nameserver 192.0.2.1\n")
	b := harness.NewBoard(t, config)
	b.MustDrop("default", harness.OnePod("default", harness.Forever, "dnsPolicy: Default"))
	b.MustDrop("own", harness.OnePod("own", harness.Forever, "dnsPolicy: Default"))
	b.MustDrop("none", harness.OnePod("none", harness.Forever, "dnsPolicy: None\ndnsConfig: {nameservers: [192.0.2.9], searches: [a_b.example, .], options: [{name: ndots, value: \"2\"}]}"))
	for _, name := range []string{"default", "own", "none"} {
		b.Running(name)
	}
	b.Sh("own", "main", "echo nameserver 192.0.2.77 >/etc/resolv.conf")
	file := b.Sh("default", "main", "stat -c %i /etc/resolv.conf")
	// As resolvconf(8) and others do it: a new file in the old one's place.
	b.Must(os.WriteFile(path+".new", []byte("search home\nnameserver 192.0.2.2\nnameserver 127.0.0.1\n"), 0o600))
	b.Must(os.Rename(path+".new", path))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		got := b.Sh("default", "main", "cat /etc/resolv.conf")
		return got == "search home\nnameserver 192.0.2.2", fmt.Errorf("/etc/resolv.conf is %q", got)
	}))
	if now := b.Sh("default", "main", "stat -c %i /etc/resolv.conf"); now != file {
		t.Errorf("the file was %s and is %s: a mount does not follow", file, now)
	}
	for name, want := range map[string]string{"own": "nameserver 192.0.2.77", "none": "search a_b.example .\nnameserver 192.0.2.9\noptions ndots:2"} {
		if got := b.Sh(name, "main", "cat /etc/resolv.conf"); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}

// A name server of somebody else on the board is a sentence, and pods have the host's servers.
func TestPort53IsTaken(t *testing.T) {
	t.Parallel()
	config, _ := withConfig(t, "nameserver 192.0.2.1\n")
	b := harness.NewEmptyBoard(t, config)
	nameServerOf(b, "0.0.0.0")
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.MustDrop("asker", harness.OnePod("asker", harness.Forever))
	b.Running("asker")
	if got := b.Sh("asker", "main", "cat /etc/resolv.conf"); got != "nameserver 192.0.2.1" {
		t.Errorf("/etc/resolv.conf is %q", got)
	}
	b.Event("MissingClusterDNS")
	b.Event("another program has port 53 of 10.210.0.1")
}

// The names of pods from within.
//
// e2e: Hostname of Pod :: a pod with subdomain field has FQDN, hostname is shortname
// e2e: Hostname of Pod :: a pod with subdomain field has FQDN, when setHostnameAsFQDN is set to true, the FQDN is set as hostname
// e2e: Hostname of Pod :: a pod configured to set FQDN as hostname will remain in Pending state generating FailedCreatePodSandBox events when the FQDN is longer than 64 bytes
// e2e: Override hostname of Pod :: a pod with hostname and hostnameOverride fields will have hostnameOverride as hostname [FeatureGate:HostnameOverride]
// e2e: Override hostname of Pod :: a pod with setHostnameAsFQDN and hostnameOverride fields will fail to be created [FeatureGate:HostnameOverride]
// e2e: Override hostname of Pod :: a pod with hostNetwork and hostnameOverride fields will fail to be created [FeatureGate:HostnameOverride]
// e2e: Override hostname of Pod :: a pod with non-RFC1123 subdomain string for hostnameOverride field will fail to be created [FeatureGate:HostnameOverride]
func TestHostnames(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for name, c := range map[string]struct{ fields, hostname, full string }{
		"short":    {"hostname: front\nsubdomain: app", "front", "front.app.default.svc.cluster.local"},
		"full":     {"subdomain: app\nsetHostnameAsFQDN: true", "full.app.default.svc.cluster.local", "full.app.default.svc.cluster.local"},
		"override": {"hostname: front\nsubdomain: app\nhostnameOverride: any.name.example", "any.name.example", "any.name.example"},
	} {
		b.MustDrop(name, harness.OnePod(name, harness.Forever, c.fields))
		b.Running(name)
		if got := b.Sh(name, "main", "hostname; hostname -f; cat /etc/hostname"); got != c.hostname+"\n"+c.full+"\n"+c.hostname {
			t.Errorf("%s is called %q", name, got)
		}
	}
	long := strings.Repeat("a", 50)
	b.MustDrop("long", harness.OnePod("long", harness.Forever, "hostname: "+long+"\nsubdomain: app\nsetHostnameAsFQDN: true"))
	b.Event("FQDN is too long: " + long + ".app.default.svc.cluster.local has 80 characters")
	if pod := b.MustPod("long"); pod.Status.Phase != corev1.PodPending {
		t.Errorf("phase %s", pod.Status.Phase)
	}
	for name, fields := range map[string]string{
		"both": "setHostnameAsFQDN: true\nhostnameOverride: a", "host": "hostNetwork: true\nhostnameOverride: a", "bad": "hostnameOverride: not_a_name",
	} {
		b.MustDrop("refused-"+name, harness.OnePod("refused-"+name, harness.Forever, fields))
		b.WaitPod("refused-"+name, func(p *corev1.Pod) string {
			if strings.Contains(p.Status.Message, "spec.hostnameOverride: ") {
				return ""
			}
			return "message " + p.Status.Message
		})
	}
}
