package harness

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// Lookup asks podd's name server from within a pod until it says what is wanted.
func (b *Board) Lookup(pod, name, want string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		out, stderr, _ := b.RunCLI("exec", pod, "--", "nslookup", name)
		return strings.Contains(out, want), fmt.Errorf("nslookup %s says %s%s, want %s", name, out, stderr, want)
	}))
}

// Shell runs a line in a network namespace.
func (b *Board) Shell(netns, script string) {
	b.T.Helper()
	if out, err := exec.Command("nsenter", "--net="+netns, "--", "sh", "-c", script).CombinedOutput(); err != nil {
		b.T.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// PortPod is a pod that says its name on TCP port 8080, and sends back what it gets on 8081.
func PortPod(name, ports string) string {
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

// Answers returns what an HTTP server says to the node, or "".
func (b *Board) Answers(addr string) string { return AnswersTo(b.Netns(), addr) }

// AnswersTo returns what an HTTP server says to somebody in a network namespace.
func AnswersTo(netns, addr string) string {
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

func (b *Board) WantAnswer(addr, want string) {
	b.T.Helper()
	err := lab.Poll(Limit, func() (bool, error) {
		got := b.Answers(addr)
		return got == want, fmt.Errorf("%s answers %q, want %q", addr, got, want)
	})
	if err != nil {
		b.T.Error(err)
	}
}

// Echoes is a connection whose other end sends back what it gets.
type Echoes struct {
	net.Conn
	sent int
}

// Connect retries until the server is there.
func (b *Board) Connect(addr string) *Echoes {
	b.T.Helper()
	var c net.Conn
	b.Must(lab.Poll(Limit, func() (bool, error) {
		err := lab.InNetns(b.Netns(), func() (err error) {
			c, err = (&net.Dialer{Timeout: time.Second, FallbackDelay: -1}).Dial("tcp", addr)
			return err
		})
		return err == nil, err
	}))
	b.T.Cleanup(func() { c.Close() })
	return &Echoes{Conn: c}
}

func (e *Echoes) Exchange(t *testing.T, when string) {
	t.Helper()
	_ = e.SetDeadline(time.Now().Add(Limit))
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

// ServiceOf is the manifest of a Service; fields are those of its spec.
func ServiceOf(name string, fields ...string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  " + strings.Join(fields, "\n  ") + "\n"
}

// Serving is a pod that says its own name over HTTP on a port called web.
func Serving(name, app string, fields ...string) string {
	main := ContainerOf("main", "mkdir /www; hostname >/www/index.html; exec httpd -f -p 8080 -h /www", "ports: [{name: web, containerPort: 8080}]")
	manifest := PodOf(name, append(fields, main)...)
	return strings.Replace(manifest, "metadata:\n", "metadata:\n  labels: {app: "+app+"}\n", 1)
}

// Column is a field of one line of podd get.
func (b *Board) Column(n int, args ...string) string {
	b.T.Helper()
	fields := strings.Fields(b.CLI(append([]string{"get"}, append(args, "--no-headers")...)...))
	if len(fields) <= n {
		return ""
	}
	return fields[n]
}

// A board's neighbour, 192.0.2.2 and 2001:db8::2, and the board's addresses on the link between them.
const (
	BoardAddr, BoardAddr6 = "192.0.2.1", "2001:db8::1"
	OtherAddr, OtherAddr6 = "192.0.2.2", "2001:db8::2"
)

// Neighbour makes a network namespace that plays the rest of the board's network, and returns its path.
func (b *Board) Neighbour() string {
	b.T.Helper()
	path := filepath.Join(b.Dir, "neighbour")
	b.Must(os.WriteFile(path, nil, 0o600))
	ip := func(in string, words ...string) {
		b.T.Helper()
		out, err := exec.Command("nsenter", append([]string{"--net=" + in, "--", "ip"}, words...)...).CombinedOutput()
		if err != nil {
			b.T.Fatalf("ip %s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
	if _, err := exec.LookPath("ip"); err != nil {
		b.T.Skip("ip is not here to make a neighbour of the board")
	}
	b.Must(lab.MakeNetns(path))
	ip(b.Netns(), "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", path)
	for _, side := range []struct{ netns, link, addr, addr6, gateway, gateway6 string }{
		{b.Netns(), "lan0", BoardAddr, BoardAddr6, OtherAddr, OtherAddr6}, {path, "eth0", OtherAddr, OtherAddr6, BoardAddr, BoardAddr6},
	} {
		ip(side.netns, "addr", "add", side.addr+"/24", "dev", side.link)
		ip(side.netns, "addr", "add", side.addr6+"/64", "dev", side.link, "nodad")
		ip(side.netns, "link", "set", side.link, "up")
		ip(side.netns, "route", "add", "default", "via", side.gateway)
		ip(side.netns, "route", "add", "default", "via", side.gateway6)
	}
	return path
}

// NetnsOf is the network namespace of a pod, of any namespace, that runs.
func (b *Board) NetnsOf(name string) string {
	b.T.Helper()
	path := ""
	b.Must(lab.Poll(Limit, func() (bool, error) {
		pods, err := b.Pods()
		for i := range pods {
			if pods[i].Name == name && pods[i].Status.Phase == corev1.PodRunning {
				path = filepath.Join(b.Run, "ns", string(pods[i].UID), "net")
			}
		}
		return path != "", fmt.Errorf("pod %s does not run: %w", name, errors.Join(err))
	}))
	return path
}

// Answer lets a network namespace answer on a port, over TCP and UDP, in both families: who it is and whom it sees.
func (b *Board) Answer(netns, name string, port int) {
	b.T.Helper()
	var l net.Listener
	var c net.PacketConn
	b.Must(lab.InNetns(netns, func() (err error) {
		at := fmt.Sprintf("[::]:%d", port)
		if l, err = net.Listen("tcp", at); err != nil {
			return err
		}
		c, err = net.ListenPacket("udp", at)
		return err
	}))
	b.T.Cleanup(func() { l.Close(); c.Close() })
	says := func(peer net.Addr) []byte {
		host, _, _ := net.SplitHostPort(peer.String())
		return []byte(name + " " + host)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(says(conn.RemoteAddr()))
			conn.Close()
		}
	}()
	go func() {
		for buf := make([]byte, 100); ; {
			_, peer, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(says(peer), peer)
		}
	}()
}

// Asked is what somebody in a network namespace hears from an address: who answers, and whom that one sees.
func Asked(netns, protocol, addr string) (who, sees string, err error) {
	var c net.Conn
	err = lab.InNetns(netns, func() (err error) {
		c, err = (&net.Dialer{Timeout: 2 * time.Second, FallbackDelay: -1}).Dial(protocol, addr)
		return err
	})
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if protocol == "udp" {
		if _, err := c.Write([]byte("who?")); err != nil {
			return "", "", err
		}
	}
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	who, sees, _ = strings.Cut(string(buf[:n]), " ")
	return who, sees, err
}

// Service waits until a Service has its addresses.
func (b *Board) Service(name string) *corev1.Service {
	b.T.Helper()
	s := &corev1.Service{}
	b.Must(lab.Poll(Limit, func() (bool, error) {
		err := b.Get("/api/v1/namespaces/default/services/"+name, s)
		return err == nil && len(s.Spec.ClusterIPs) > 0, fmt.Errorf("Service %s has no address: %w", name, errors.Join(err))
	}))
	return s
}
