package test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// A board's neighbour, 192.0.2.2 and 2001:db8::2, and the board's addresses on the link between them.
const (
	boardAddr, boardAddr6 = "192.0.2.1", "2001:db8::1"
	otherAddr, otherAddr6 = "192.0.2.2", "2001:db8::2"
)

// neighbour makes a network namespace that plays the rest of the board's network, and returns its path.
func (b *Board) neighbour() string {
	b.t.Helper()
	path := filepath.Join(b.Dir, "neighbour")
	b.must(os.WriteFile(path, nil, 0o600))
	ip := func(in string, words ...string) {
		b.t.Helper()
		out, err := exec.Command("nsenter", append([]string{"--net=" + in, "--", "ip"}, words...)...).CombinedOutput()
		if err != nil {
			b.t.Fatalf("ip %s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
	if _, err := exec.LookPath("ip"); err != nil {
		b.t.Skip("ip is not here to make a neighbour of the board")
	}
	b.must(lab.MakeNetns(path))
	ip(b.Netns(), "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", path)
	for _, side := range []struct{ netns, link, addr, addr6, gateway, gateway6 string }{
		{b.Netns(), "lan0", boardAddr, boardAddr6, otherAddr, otherAddr6}, {path, "eth0", otherAddr, otherAddr6, boardAddr, boardAddr6},
	} {
		ip(side.netns, "addr", "add", side.addr+"/24", "dev", side.link)
		ip(side.netns, "addr", "add", side.addr6+"/64", "dev", side.link, "nodad")
		ip(side.netns, "link", "set", side.link, "up")
		ip(side.netns, "route", "add", "default", "via", side.gateway)
		ip(side.netns, "route", "add", "default", "via", side.gateway6)
	}
	return path
}

// netnsOf is the network namespace of a pod, of any namespace, that runs.
func (b *Board) netnsOf(name string) string {
	b.t.Helper()
	path := ""
	b.must(lab.Poll(limit, func() (bool, error) {
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

// answer lets a network namespace answer on a port, over TCP and UDP, in both families: who it is and whom it sees.
func (b *Board) answer(netns, name string, port int) {
	b.t.Helper()
	var l net.Listener
	var c net.PacketConn
	b.must(lab.InNetns(netns, func() (err error) {
		at := fmt.Sprintf("[::]:%d", port)
		if l, err = net.Listen("tcp", at); err != nil {
			return err
		}
		c, err = net.ListenPacket("udp", at)
		return err
	}))
	b.t.Cleanup(func() { l.Close(); c.Close() })
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

// asked is what somebody in a network namespace hears from an address: who answers, and whom that one sees.
func asked(netns, protocol, addr string) (who, sees string, err error) {
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

// reached waits until an address is answered by one of some, in both protocols.
func (b *Board) reached(netns, addr string, want ...string) {
	b.t.Helper()
	for _, protocol := range []string{"tcp", "udp"} {
		b.reachedBy(netns, protocol, addr, want...)
	}
}

// reachedBy waits until an address is answered by one of some, and says by whom.
func (b *Board) reachedBy(netns, protocol, addr string, want ...string) (who string) {
	b.t.Helper()
	err := lab.Poll(limit, func() (bool, error) {
		var err error
		who, _, err = asked(netns, protocol, addr)
		return slices.Contains(want, who), fmt.Errorf("%s %s is answered by %q, %w; want %q", protocol, addr, who, errors.Join(err), want)
	})
	if err != nil {
		b.t.Error(err)
	}
	return who
}

// refused waits until nobody answers at an address, and the client is told so at once.
func (b *Board) refused(netns, addr string) {
	b.t.Helper()
	for _, protocol := range []string{"tcp", "udp"} {
		err := lab.Poll(limit, func() (bool, error) {
			who, _, err := asked(netns, protocol, addr)
			return errors.Is(err, unix.ECONNREFUSED), fmt.Errorf("%s %s: %q, %w", protocol, addr, who, errors.Join(err))
		})
		if err != nil {
			b.t.Error(err)
		}
	}
}

// service waits until a Service has its addresses.
func (b *Board) service(name string) *corev1.Service {
	b.t.Helper()
	s := &corev1.Service{}
	b.must(lab.Poll(limit, func() (bool, error) {
		err := b.Get("/api/v1/namespaces/default/services/"+name, s)
		return err == nil && len(s.Spec.ClusterIPs) > 0, fmt.Errorf("Service %s has no address: %w", name, errors.Join(err))
	}))
	return s
}

func (b *Board) nodePort(service, port string) string {
	b.t.Helper()
	for _, p := range b.service(service).Spec.Ports {
		if p.Name == port && p.NodePort != 0 {
			return fmt.Sprint(p.NodePort)
		}
	}
	b.t.Fatalf("port %s of Service %s has no node port", port, service)
	return ""
}

// bothProtocols are a Service's ports for TCP and UDP, to one port of its pods.
const bothProtocols = "ports: [{name: t, port: 80, targetPort: 7000}, {name: u, port: 80, protocol: UDP, targetPort: 7000}]"

// labelled gives a pod's manifest a label app.
func labelled(manifest, app string) string {
	return strings.Replace(manifest, "metadata:\n", "metadata:\n  labels: {app: "+app+"}\n", 1)
}

// lingering is a pod that takes its time to end, until the file /end is there.
func lingering(name, app string) string {
	script := "trap : TERM; until [ -e /end ]; do sleep 0.05; done"
	return labelled(strings.Replace(onePod(name, script), "terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 600", 1), app)
}

// A pod that is to end gets no new connection while another is there, and all of them when none is, until it has ended.
//
// e2e: Services :: should fallback to terminating endpoints when there are no ready endpoints with externallTrafficPolicy=Cluster
// e2e: Services :: should fallback to local terminating endpoints when there are no ready endpoints with externalTrafficPolicy=Local
func TestTerminatingPodsAreTheLastResort(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("svc", serviceOf("web", "type: NodePort", "ipFamilyPolicy: RequireDualStack", "selector: {app: web}", "externalTrafficPolicy: Local", "internalTrafficPolicy: Local", bothProtocols))
	b.drop("old", lingering("old", "web"))
	b.drop("new", labelled(onePod("new", forever), "web"))
	b.drop("client", onePod("client", forever))
	for _, name := range []string{"old", "new"} {
		b.answer(b.netnsOf(name), name, 7000)
	}
	client := b.netnsOf("client")
	ips := b.service("web").Spec.ClusterIPs
	b.remove("old")
	b.shows([]string{"old", "Terminating"}, "get", "pods", "old")
	for range 10 {
		for _, ip := range ips {
			b.reached(client, net.JoinHostPort(ip, "80"), "new")
		}
	}
	b.remove("new")
	b.gone("new")
	for _, ip := range ips {
		b.reached(client, net.JoinHostPort(ip, "80"), "old")
	}
	node := net.JoinHostPort(b.gateway(), b.nodePort("web", "t"))
	if who, _, err := asked(client, "tcp", node); who != "old" {
		t.Errorf("%s is answered by %q, %v", node, who, err)
	}
	if got := strings.Fields(b.podd("get", "endpointslices", "-o", "yaml")); !strings.Contains(strings.Join(got, " "), "ready: false serving: true terminating: true") {
		t.Errorf("the slices say %s", got)
	}
	b.sh("old", "main", "touch /end")
	b.gone("old")
	b.refused(client, net.JoinHostPort(ips[0], "80"))
}
