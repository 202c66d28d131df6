package test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// portPod is a pod that says its name on TCP port 8080, and sends back what it gets on 8081.
func portPod(name, ports string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox
    command: [sh, -c, "nc -ll -p 8081 -e cat & mkdir /www; echo %[1]s >/www/index.html; exec httpd -f -p 8080 -h /www"]
    ports: [%s]
`, name, ports)
}

// answers returns what an HTTP server says to the node, or "".
func (b *Board) answers(addr string) string { return answersTo(b.Netns(), addr) }

// answersTo returns what an HTTP server says to somebody in a network namespace.
func answersTo(netns, addr string) string {
	out := ""
	_ = lab.InNetns(netns, func() error {
		c, err := (&net.Dialer{Timeout: time.Second, FallbackDelay: -1}).Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
		for s := bufio.NewScanner(c); s.Scan(); {
			out = s.Text()
		}
		return nil
	})
	return out
}

func (b *Board) wantAnswer(addr, want string) {
	b.t.Helper()
	err := lab.Poll(limit, func() (bool, error) {
		got := b.answers(addr)
		return got == want, fmt.Errorf("%s answers %q, want %q", addr, got, want)
	})
	if err != nil {
		b.t.Error(err)
	}
}

// Pods with one host port but different addresses and protocols do not conflict.
//
// e2e: HostPort :: validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly]
func TestHostPorts(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("one", portPod("one", "{containerPort: 8080, hostPort: 54323, hostIP: 127.0.0.1}"))
	b.drop("two", portPod("two", "{containerPort: 8080, hostPort: 54323, hostIP: 10.210.0.1}"))
	b.drop("three", portPod("three", "{containerPort: 8081, hostPort: 54323, hostIP: 10.210.0.1, protocol: UDP}, {containerPort: 8080, hostPort: 54324}"))
	for _, name := range []string{"one", "two", "three"} {
		b.running(name)
	}
	b.wantAnswer("127.0.0.1:54323", "one")
	b.wantAnswer("10.210.0.1:54323", "two")
	b.wantAnswer("127.0.0.1:54324", "three")
	b.wantAnswer("10.210.0.1:54324", "three")

	b.drop("late", portPod("late", "{containerPort: 8080, hostPort: 54324}"))
	b.wait("late", func(p *corev1.Pod) string {
		for _, c := range p.Status.ContainerStatuses {
			if w := c.State.Waiting; w != nil && strings.Contains(w.Message, `host port 54324/TCP belongs to pod "default/three"`) {
				return ""
			}
		}
		return "its status does not say who has the port"
	})
	// The ports outlive the daemon, and the next one knows whose they are.
	b.kill9()
	b.wantAnswer("127.0.0.1:54323", "one")
	b.start()
	b.wantAnswer("10.210.0.1:54323", "two")
	b.remove("three")
	b.running("late")
	b.wantAnswer("127.0.0.1:54324", "late")
}

// e2e: Networking :: Granular Checks: Pods :: should function for node-pod communication: http [LinuxOnly]
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("web", portPod("web", ""))
	pod := b.running("web")
	if len(pod.Status.PodIPs) != 2 {
		t.Fatalf("podIPs are %v", pod.Status.PodIPs)
	}
	for _, ip := range pod.Status.PodIPs {
		b.wantAnswer(netip.AddrPortFrom(netip.MustParseAddr(ip.IP), 8080).String(), "web")
	}
	six := pod.Status.PodIPs[1].IP
	b.drop("client", onePod("client", "wget -qO- http://["+six+"]:8080/; "+forever))
	b.logged("client", "main", "web")
	if hosts := b.sh("web", "main", "cat /etc/hosts"); !strings.Contains(hosts, six+"\tweb") {
		t.Errorf("/etc/hosts lacks the IPv6 address:\n%s", hosts)
	}
}

// A connection to a pod that nobody touches breaks of nothing: every byte comes back while the firewall is flushed,
// the daemon is killed and its neighbours are replaced.
func TestConnectionsOutliveAll(t *testing.T) {
	t.Parallel()
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("nft is not here to flush the firewall")
	}
	b := newBoard(t)
	b.drop("web", portPod("web", "{containerPort: 8081, hostPort: 54325}"))
	web := b.running("web")
	var streams []*echoes
	for _, addr := range []string{web.Status.PodIP + ":8081", "[" + web.Status.PodIPs[1].IP + "]:8081", "127.0.0.1:54325", "10.210.0.1:54325"} {
		streams = append(streams, b.connect(addr))
	}
	goesOn := func(when string) {
		t.Helper()
		for _, s := range streams {
			s.exchange(t, when)
		}
	}
	goesOn("at first")
	flush := func() { b.must(b.In(nft, "flush", "ruleset").Run()) }
	flush()
	goesOn("after a flush")
	b.drop("neighbour", portPod("neighbour", "{containerPort: 8080, hostPort: 54326}"))
	b.running("neighbour")
	b.wantAnswer("127.0.0.1:54326", "neighbour")
	b.remove("neighbour")
	b.gone("neighbour")
	goesOn("with a neighbour that came and went")
	b.kill9()
	goesOn("without a daemon")
	translated := streams[2:]
	streams = streams[:2]
	flush()
	goesOn("without a daemon and without rules")
	b.start()
	streams = append(streams, translated...)
	b.connect("127.0.0.1:54325").exchange(t, "on a connection made after all that")
	goesOn("with the next daemon")
	if now := b.running("web"); now.Status.ContainerStatuses[0].ContainerID != web.Status.ContainerStatuses[0].ContainerID {
		t.Error("the container is another one")
	}
}

// echoes is a connection whose other end sends back what it gets.
type echoes struct {
	net.Conn
	sent int
}

// connect retries until the server is there.
func (b *Board) connect(addr string) *echoes {
	b.t.Helper()
	var c net.Conn
	b.must(lab.Poll(limit, func() (bool, error) {
		err := lab.InNetns(b.Netns(), func() (err error) {
			c, err = (&net.Dialer{Timeout: time.Second, FallbackDelay: -1}).Dial("tcp", addr)
			return err
		})
		return err == nil, err
	}))
	b.t.Cleanup(func() { c.Close() })
	return &echoes{Conn: c}
}

func (e *echoes) exchange(t *testing.T, when string) {
	t.Helper()
	_ = e.SetDeadline(time.Now().Add(limit))
	for range 20 {
		e.sent++
		want := fmt.Sprintf("%08d", e.sent)
		if _, err := e.Write([]byte(want)); err != nil {
			t.Fatalf("%s, %s: %v", when, e.RemoteAddr(), err)
		}
		got := make([]byte, len(want))
		for n := 0; n < len(got); {
			k, err := e.Read(got[n:])
			if err != nil {
				t.Fatalf("%s, %s: %v", when, e.RemoteAddr(), err)
			}
			n += k
		}
		if string(got) != want {
			t.Fatalf("%s, %s: sent %s, got %s", when, e.RemoteAddr(), want, got)
		}
	}
	// An acknowledgement that waits 40 ms for data to go with would be sent when the rules are gone.
	conn, err := e.Conn.(*net.TCPConn).SyscallConn()
	if err == nil {
		cerr := conn.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_TCP, unix.TCP_QUICKACK, 1) })
		err = errors.Join(cerr, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPortOfAProcess(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	var l net.Listener
	b.must(lab.InNetns(b.Netns(), func() (err error) {
		l, err = net.Listen("tcp", ":54327")
		return err
	}))
	b.drop("web", portPod("web", "{containerPort: 8080, hostPort: 54327}"))
	b.event("host port 54327/TCP is used by")
	l.Close()
	b.running("web")
	b.wantAnswer("127.0.0.1:54327", "web")
}

func TestExhaustedRange(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withArgs("--pod-cidr", "10.210.0.0/29"))
	for i := range 5 {
		b.drop(fmt.Sprint("p", i), onePod(fmt.Sprint("p", i), forever))
	}
	for i := range 5 {
		b.running(fmt.Sprint("p", i))
	}
	b.drop("more", onePod("more", forever))
	b.event("no free address in the pod network")
	for i := range 5 {
		b.running(fmt.Sprint("p", i))
	}
	b.remove("p2")
	b.running("more")
}

// reaches is a script that says whether a pod's server can be reached.
func reaches(pod *corev1.Pod) string {
	return "timeout 2 wget -qO- http://" + pod.Status.PodIP + ":8080/ >/dev/null && echo open || echo shut; "
}

func TestDefaultDeny(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/config.yaml"
	if err := os.WriteFile(file, []byte("defaultDeny: [Ingress]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := newBoard(t, withArgs("--config", file))
	b.drop("web", portPod("web", ""))
	web := b.running("web")
	b.wantAnswer(web.Status.PodIP+":8080", "web") // the node itself
	b.drop("client", onePod("client", reaches(web)+forever))
	b.logged("client", "main", "shut")
}

func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("policy", `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: friends}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {matchLabels: {friend: "yes"}}}]
    ports: [{port: 8080}]
`)
	b.drop("web", strings.Replace(portPod("web", ""), "{name: web}", "{name: web, labels: {app: web}}", 1))
	web := b.running("web")
	client := func(name, labels string) {
		script := reaches(web) + forever
		b.drop(name, strings.Replace(onePod(name, script), "name: "+name, "name: "+name+"\n  labels: {"+labels+"}", 1))
	}
	b.wantAnswer(web.Status.PodIP+":8080", "web")
	client("stranger", "a: b")
	client("friend", "friend: \"yes\"")
	b.logged("stranger", "main", "shut")
	b.logged("friend", "main", "open")
	if out := b.podd("get", "netpol"); !strings.Contains(out, "friends") || !strings.Contains(out, "app=web") {
		t.Errorf("get netpol:\n%s", out)
	}
	// It holds over the daemon's death, and goes with its file.
	b.kill9()
	b.start()
	client("late", "a: b")
	b.logged("late", "main", "shut")
	b.remove("policy")
	client("later", "a: b")
	b.logged("later", "main", "open")
}

// The machine moves into a network that has the pods' addresses: the node says so until it has left, and pods that run stay.
func TestOverlapThatComesLater(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("early", onePod("early", forever))
	b.running("early")
	says := func(want bool) {
		t.Helper()
		b.must(lab.Poll(limit, func() (bool, error) {
			node := b.podd("get", "nodes", "-o", "yaml")
			return strings.Contains(node, "podd.dev/NetworkReady") == want, fmt.Errorf("the node says\n%s", node)
		}))
	}
	b.shell(b.Netns(), "ip link add lan7 type veth peer name lan8; ip link set lan7 up; ip link set lan8 up; ip addr add 10.210.1.7/24 dev lan7")
	says(true)
	if node := b.podd("get", "nodes", "-o", "json"); !strings.Contains(node, "this machine has a route to 10.210.1.0/24") {
		t.Errorf("the node says\n%s", node)
	}
	if events := b.podd("get", "events"); !strings.Contains(events, "NetworkNotReady") {
		t.Errorf("no event says it:\n%s", events)
	}
	b.drop("late", onePod("late", forever))
	b.wait("late", func(p *corev1.Pod) string {
		if text := b.podd("describe", "pod", "late"); !strings.Contains(text, "choose another podCIDR") {
			return "nothing says why it waits:\n" + text
		}
		return ""
	})
	b.running("early")
	b.shell(b.Netns(), "ip link del lan7")
	says(false)
	b.running("late")
}

// On a board that switches IPv6 off, before or while podd runs, pods have IPv4 only, and that is said once.
func TestBoardWithoutIPv6(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	disable := func(value string) {
		t.Helper()
		for _, name := range []string{"all", "default"} {
			b.must(lab.InNetns(b.Netns(), func() error {
				return os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte(value), 0)
			}))
		}
	}
	families := func(name string, want int) *corev1.Pod {
		t.Helper()
		pod := b.running(name)
		if got := len(pod.Status.PodIPs); got != want {
			t.Errorf("%s has %v, want addresses of %d families", name, pod.Status.PodIPs, want)
		}
		return pod
	}
	b.drop("old", portPod("old", "{containerPort: 8080, hostPort: 54360}"))
	old := families("old", 2)
	b.kill9()
	disable("1")
	b.start()
	b.drop("first", portPod("first", "{containerPort: 8080, hostPort: 54361}"))
	first := families("first", 1)
	b.wantAnswer("127.0.0.1:54361", "first")
	b.wantAnswer("127.0.0.1:54360", "old")
	if resolv := b.sh("first", "main", "grep -c nameserver /etc/resolv.conf"); strings.TrimSpace(resolv) != "1" {
		t.Errorf("name servers of a pod without IPv6: %s", resolv)
	}
	b.event("IPv6 is disabled on this machine")
	b.drop("second", portPod("second", ""))
	families("second", 1)

	disable("0")
	b.event("IPv6 is enabled on this machine again")
	b.wantAnswer("["+old.Status.PodIPs[1].IP+"]:8080", "old")
	b.drop("third", portPod("third", ""))
	families("third", 2)
	disable("1")
	b.drop("fourth", portPod("fourth", ""))
	fourth := families("fourth", 1)
	b.wantAnswer(fourth.Status.PodIP+":8080", "fourth")

	events, err := b.Events()
	b.must(err)
	for _, e := range events {
		if e.Reason == "NetworkNotReady" {
			t.Errorf("it is trouble: %s", e.Message)
		}
		if e.Reason == "IPv6Disabled" && e.Count > 2 {
			t.Errorf("said %d times: %s", e.Count, e.Message)
		}
	}
	if now := b.running("first"); now.UID != first.UID || len(now.Status.PodIPs) != 1 {
		t.Errorf("the pod is another one, or has other addresses: %v", now.Status.PodIPs)
	}
}

// A client that sends over UDP from one port, since before there was a pod, is answered by the pod of now.
func TestUDPClientOfOnePort(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	neighbour := b.neighbour()
	var clients []net.Conn
	for _, c := range [][2]string{{neighbour, boardAddr + ":54351"}, {neighbour, "[" + boardAddr6 + "]:54351"}, {b.Netns(), "127.0.0.1:54351"}} {
		b.must(lab.InNetns(c[0], func() error {
			conn, err := net.Dial("udp", c[1])
			clients = append(clients, conn)
			return err
		}))
	}
	says := func(conn net.Conn) string {
		b.must(conn.SetDeadline(time.Now().Add(2 * time.Second)))
		buf := make([]byte, 100)
		for range 2 { // the first error may be what became of the packet before
			if _, err := conn.Write([]byte("who?")); err != nil {
				continue
			}
			if n, err := conn.Read(buf); err == nil {
				name, _, _ := strings.Cut(string(buf[:n]), " ")
				return name
			}
		}
		return ""
	}
	for _, conn := range clients {
		if who := says(conn); who != "" {
			t.Fatalf("%s answers before there is a pod", who)
		}
	}
	const port = "{containerPort: 9009, hostPort: 54351, protocol: UDP}"
	b.drop("udp", portPod("udp", port))
	first := b.running("udp")
	b.answer(b.netnsOf("udp"), "first", 9009)
	check := func(want string) {
		t.Helper()
		for _, conn := range clients {
			if who := says(conn); who != want {
				t.Errorf("%s from %s: %q answers, want %q", conn.RemoteAddr(), conn.LocalAddr(), who, want)
			}
		}
	}
	check("first")
	b.drop("udp", portPod("udp", port+", {containerPort: 1, hostPort: 54352}"))
	b.wait("udp", func(p *corev1.Pod) string {
		if p.UID == first.UID {
			return "it is the pod of before"
		}
		return isRunning(p)
	})
	b.answer(b.netnsOf("udp"), "second", 9009)
	check("second")
	b.kill9()
	check("second")
	b.start()
	check("second")
}
