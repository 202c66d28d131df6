package network

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// Pods with one host port but different addresses and protocols do not conflict.
//
// e2e: HostPort :: validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly]
func TestHostPorts(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("one", harness.PortPod("one", "{containerPort: 8080, hostPort: 54323, hostIP: 127.0.0.1}"))
	b.MustDrop("two", harness.PortPod("two", "{containerPort: 8080, hostPort: 54323, hostIP: 10.210.0.1}"))
	b.MustDrop("three", harness.PortPod("three", "{containerPort: 8081, hostPort: 54323, hostIP: 10.210.0.1, protocol: UDP}, {containerPort: 8080, hostPort: 54324}"))
	for _, name := range []string{"one", "two", "three"} {
		b.Running(name)
	}
	b.WantAnswer("127.0.0.1:54323", "one")
	b.WantAnswer("10.210.0.1:54323", "two")
	b.WantAnswer("127.0.0.1:54324", "three")
	b.WantAnswer("10.210.0.1:54324", "three")

	b.MustDrop("late", harness.PortPod("late", "{containerPort: 8080, hostPort: 54324}"))
	b.WaitPod("late", func(p *corev1.Pod) string {
		for _, c := range p.Status.ContainerStatuses {
			if w := c.State.Waiting; w != nil && strings.Contains(w.Message, `host port 54324/TCP belongs to pod "default/three"`) {
				return ""
			}
		}
		return "its status does not say who has the port"
	})
	// The ports outlive the daemon, and the next one knows whose they are.
	b.MustKill9()
	b.WantAnswer("127.0.0.1:54323", "one")
	b.MustStart()
	b.WantAnswer("10.210.0.1:54323", "two")
	b.MustRemove("three")
	b.Running("late")
	b.WantAnswer("127.0.0.1:54324", "late")
}

// e2e: Networking :: Granular Checks: Pods :: should function for node-pod communication: http [LinuxOnly]
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", harness.PortPod("web", ""))
	pod := b.Running("web")
	if len(pod.Status.PodIPs) != 2 {
		t.Fatalf("podIPs are %v", pod.Status.PodIPs)
	}
	for _, ip := range pod.Status.PodIPs {
		b.WantAnswer(netip.AddrPortFrom(netip.MustParseAddr(ip.IP), 8080).String(), "web")
	}
	six := pod.Status.PodIPs[1].IP
	b.MustDrop("client", harness.OnePod("client", "wget -qO- http://["+six+"]:8080/; "+harness.Forever))
	b.Logged("client", "main", "web")
	if hosts := b.Sh("web", "main", "cat /etc/hosts"); !strings.Contains(hosts, six+"\tweb") {
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
	b := harness.NewBoard(t)
	b.MustDrop("web", harness.PortPod("web", "{containerPort: 8081, hostPort: 54325}"))
	web := b.Running("web")
	var streams []*harness.Echoes
	for _, addr := range []string{web.Status.PodIP + ":8081", "[" + web.Status.PodIPs[1].IP + "]:8081", "127.0.0.1:54325", "10.210.0.1:54325"} {
		streams = append(streams, b.Connect(addr))
	}
	goesOn := func(when string) {
		t.Helper()
		for _, s := range streams {
			s.Exchange(t, when)
		}
	}
	goesOn("at first")
	flush := func() { b.Must(b.In(nft, "flush", "ruleset").Run()) }
	flush()
	goesOn("after a flush")
	b.MustDrop("neighbour", harness.PortPod("neighbour", "{containerPort: 8080, hostPort: 54326}"))
	b.Running("neighbour")
	b.WantAnswer("127.0.0.1:54326", "neighbour")
	b.MustRemove("neighbour")
	b.Gone("neighbour")
	goesOn("with a neighbour that came and went")
	b.MustKill9()
	goesOn("without a daemon")
	translated := streams[2:]
	streams = streams[:2]
	flush()
	goesOn("without a daemon and without rules")
	b.MustStart()
	streams = append(streams, translated...)
	b.Connect("127.0.0.1:54325").Exchange(t, "on a connection made after all that")
	goesOn("with the next daemon")
	if now := b.Running("web"); now.Status.ContainerStatuses[0].ContainerID != web.Status.ContainerStatuses[0].ContainerID {
		t.Error("the container is another one")
	}
}

func TestPortOfAProcess(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	var l net.Listener
	b.Must(lab.InNetns(b.Netns(), func() (err error) {
		l, err = net.Listen("tcp", ":54327")
		return err
	}))
	b.MustDrop("web", harness.PortPod("web", "{containerPort: 8080, hostPort: 54327}"))
	b.Event("host port 54327/TCP is used by")
	l.Close()
	b.Running("web")
	b.WantAnswer("127.0.0.1:54327", "web")
}

func TestExhaustedRange(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithArgs("--pod-cidr", "10.210.0.0/29"))
	for i := range 5 {
		b.MustDrop(fmt.Sprint("p", i), harness.OnePod(fmt.Sprint("p", i), harness.Forever))
	}
	for i := range 5 {
		b.Running(fmt.Sprint("p", i))
	}
	b.MustDrop("more", harness.OnePod("more", harness.Forever))
	b.Event("no free address in the pod network")
	for i := range 5 {
		b.Running(fmt.Sprint("p", i))
	}
	b.MustRemove("p2")
	b.Running("more")
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
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	b.MustDrop("web", harness.PortPod("web", ""))
	web := b.Running("web")
	b.WantAnswer(web.Status.PodIP+":8080", "web") // the node itself
	b.MustDrop("client", harness.OnePod("client", reaches(web)+harness.Forever))
	b.Logged("client", "main", "shut")
}

func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("policy", `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: friends}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {matchLabels: {friend: "yes"}}}]
    ports: [{port: 8080}]
`)
	b.MustDrop("web", strings.Replace(harness.PortPod("web", ""), "{name: web}", "{name: web, labels: {app: web}}", 1))
	web := b.Running("web")
	client := func(name, labels string) {
		script := reaches(web) + harness.Forever
		b.MustDrop(name, strings.Replace(harness.OnePod(name, script), "name: "+name, "name: "+name+"\n  labels: {"+labels+"}", 1))
	}
	b.WantAnswer(web.Status.PodIP+":8080", "web")
	client("stranger", "a: b")
	client("friend", "friend: \"yes\"")
	b.Logged("stranger", "main", "shut")
	b.Logged("friend", "main", "open")
	if out := b.CLI("get", "netpol"); !strings.Contains(out, "friends") || !strings.Contains(out, "app=web") {
		t.Errorf("get netpol:\n%s", out)
	}
	// It holds over the daemon's death, and goes with its file.
	b.MustKill9()
	b.MustStart()
	client("late", "a: b")
	b.Logged("late", "main", "shut")
	b.MustRemove("policy")
	client("later", "a: b")
	b.Logged("later", "main", "open")
}

// The machine moves into a network that has the pods' addresses: the node says so until it has left, and pods that run stay.
func TestOverlapThatComesLater(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("early", harness.OnePod("early", harness.Forever))
	b.Running("early")
	says := func(want bool) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			node := b.CLI("get", "nodes", "-o", "yaml")
			return strings.Contains(node, "podd.dev/NetworkReady") == want, fmt.Errorf("the node says\n%s", node)
		}))
	}
	b.Shell(b.Netns(), "ip link add lan7 type veth peer name lan8; ip link set lan7 up; ip link set lan8 up; ip addr add 10.210.1.7/24 dev lan7")
	says(true)
	if node := b.CLI("get", "nodes", "-o", "json"); !strings.Contains(node, "this machine has a route to 10.210.1.0/24") {
		t.Errorf("the node says\n%s", node)
	}
	if events := b.CLI("get", "events"); !strings.Contains(events, "NetworkNotReady") {
		t.Errorf("no event says it:\n%s", events)
	}
	b.MustDrop("late", harness.OnePod("late", harness.Forever))
	b.WaitPod("late", func(p *corev1.Pod) string {
		if text := b.CLI("describe", "pod", "late"); !strings.Contains(text, "choose another podCIDR") {
			return "nothing says why it waits:\n" + text
		}
		return ""
	})
	b.Running("early")
	b.Shell(b.Netns(), "ip link del lan7")
	says(false)
	b.Running("late")
}

// On a board that switches IPv6 off, before or while podd runs, pods have IPv4 only, and that is said once.
func TestBoardWithoutIPv6(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	disable := func(value string) {
		t.Helper()
		for _, name := range []string{"all", "default"} {
			b.Must(lab.InNetns(b.Netns(), func() error {
				return os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte(value), 0)
			}))
		}
	}
	families := func(name string, want int) *corev1.Pod {
		t.Helper()
		pod := b.Running(name)
		if got := len(pod.Status.PodIPs); got != want {
			t.Errorf("%s has %v, want addresses of %d families", name, pod.Status.PodIPs, want)
		}
		return pod
	}
	b.MustDrop("old", harness.PortPod("old", "{containerPort: 8080, hostPort: 54360}"))
	old := families("old", 2)
	b.MustKill9()
	disable("1")
	b.MustStart()
	b.MustDrop("first", harness.PortPod("first", "{containerPort: 8080, hostPort: 54361}"))
	first := families("first", 1)
	b.WantAnswer("127.0.0.1:54361", "first")
	b.WantAnswer("127.0.0.1:54360", "old")
	if resolv := b.Sh("first", "main", "grep -c nameserver /etc/resolv.conf"); strings.TrimSpace(resolv) != "1" {
		t.Errorf("name servers of a pod without IPv6: %s", resolv)
	}
	b.Event("IPv6 is disabled on this machine")
	b.MustDrop("second", harness.PortPod("second", ""))
	families("second", 1)

	disable("0")
	b.Event("IPv6 is enabled on this machine again")
	b.WantAnswer("["+old.Status.PodIPs[1].IP+"]:8080", "old")
	b.MustDrop("third", harness.PortPod("third", ""))
	families("third", 2)
	disable("1")
	b.MustDrop("fourth", harness.PortPod("fourth", ""))
	fourth := families("fourth", 1)
	b.WantAnswer(fourth.Status.PodIP+":8080", "fourth")

	events, err := b.Events()
	b.Must(err)
	for _, e := range events {
		if e.Reason == "NetworkNotReady" {
			t.Errorf("it is trouble: %s", e.Message)
		}
		if e.Reason == "IPv6Disabled" && e.Count > 2 {
			t.Errorf("said %d times: %s", e.Count, e.Message)
		}
	}
	if now := b.Running("first"); now.UID != first.UID || len(now.Status.PodIPs) != 1 {
		t.Errorf("the pod is another one, or has other addresses: %v", now.Status.PodIPs)
	}
}

// A client that sends over UDP from one port, since before there was a pod, is answered by the pod of now.
func TestUDPClientOfOnePort(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	neighbour := b.Neighbour()
	var clients []net.Conn
	for _, c := range [][2]string{{neighbour, harness.BoardAddr + ":54351"}, {neighbour, "[" + harness.BoardAddr6 + "]:54351"}, {b.Netns(), "127.0.0.1:54351"}} {
		b.Must(lab.InNetns(c[0], func() error {
			conn, err := net.Dial("udp", c[1])
			clients = append(clients, conn)
			return err
		}))
	}
	says := func(conn net.Conn) string {
		b.Must(conn.SetDeadline(time.Now().Add(2 * time.Second)))
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
	b.MustDrop("udp", harness.PortPod("udp", port))
	first := b.Running("udp")
	b.Answer(b.NetnsOf("udp"), "first", 9009)
	check := func(want string) {
		t.Helper()
		for _, conn := range clients {
			if who := says(conn); who != want {
				t.Errorf("%s from %s: %q answers, want %q", conn.RemoteAddr(), conn.LocalAddr(), who, want)
			}
		}
	}
	check("first")
	b.MustDrop("udp", harness.PortPod("udp", port+", {containerPort: 1, hostPort: 54352}"))
	b.WaitPod("udp", func(p *corev1.Pod) string {
		if p.UID == first.UID {
			return "it is the pod of before"
		}
		return harness.IsRunning(p)
	})
	b.Answer(b.NetnsOf("udp"), "second", 9009)
	check("second")
	b.MustKill9()
	check("second")
	b.MustStart()
	check("second")
}
