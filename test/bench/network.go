package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns"
	"podd/netns/namespace"
	"podd/test/lab"
)

// network measures the pods' network alone, in a namespace of the bench's own, beside a bare bridge.
func (b *bench) network() error {
	dir, err := os.MkdirTemp(b.dir, "network-")
	if err != nil {
		return err
	}
	n, err := netns.New(netns.Config{
		CIDR: netip.MustParsePrefix("10.88.0.0/16"), CIDR6: netip.MustParsePrefix("fd00:88::/64"), LeaseDir: filepath.Join(dir, "leases"),
	})
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.EnsureHost(); err != nil {
		return err
	}
	defer func() { _ = n.RemoveHost() }()
	avark, err := newNetavark(dir)
	if err != nil {
		b.notes = append(b.notes, fmt.Sprintf("netavark is left out: %v", err))
	}
	defer avark.close()
	if err := b.podNetworks(n, avark, dir); err != nil {
		return err
	}
	if err := b.endpoints(n); err != nil {
		return err
	}
	return b.throughput(n, avark, dir)
}

// newPodNetwork makes a pod's namespaces and network, and returns the way to take both away.
func newPodNetwork(n *netns.Network, dir, id string, ports ...netns.HostPort) (netns.Attachment, func() error, error) {
	box := filepath.Join(dir, "ns", id)
	remove := func() error { return errors.Join(n.Detach(id), namespace.RemoveSandbox(box)) }
	if err := namespace.EnsureSandbox(box, namespace.SandboxOptions{Hostname: id, Net: true, IPC: true, UTS: true}); err != nil {
		return netns.Attachment{}, remove, err
	}
	a, err := n.Attach(netns.Pod{ID: id, NetNS: filepath.Join(box, "net"), Ports: ports})
	return a, remove, err
}

func (b *bench) podNetworks(n *netns.Network, avark *netavark, dir string) error {
	const pods = 100
	var own, peer []cost
	for i := range pods {
		id := fmt.Sprint("pod-", i)
		start, cpu := time.Now(), selfCPU()
		_, remove, err := newPodNetwork(n, dir, id)
		own = append(own, cost{wall: time.Since(start), cpu: selfCPU() - cpu})
		if err := errors.Join(err, remove()); err != nil {
			return err
		}
		if avark == nil || i%10 != 0 {
			continue
		}
		c, err := avark.setup(id, 2+i, "")
		if err := errors.Join(err, avark.teardown(id)); err != nil {
			return err
		}
		peer = append(peer, c)
	}
	wall, cpu := median(walls(own)), median(cpus(own))
	total := b.add(newRow("a pod's namespaces and network, both families", "ms")).set("podd", ms(wall)).atMost(wall, 3*time.Millisecond)
	busy := b.add(newRow("  CPU", "ms")).set("podd", ms(cpu)).atMost(cpu, 2*time.Millisecond)
	if avark != nil {
		total.set("podman", ms(median(walls(peer))))
		busy.set("podman", ms(median(cpus(peer))))
	}
	return nil
}

func selfCPU() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (b *bench) endpoints(n *netns.Network) error {
	s := n.Services()
	p := netns.ServicePort{Name: "default/many", Protocol: netns.TCP, Port: 80, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")}}
	ip := netip.MustParseAddr("10.89.0.0")
	for range 1000 {
		ip = ip.Next()
		p.Endpoints = append(p.Endpoints, netns.Endpoint{Addr: netip.AddrPortFrom(ip, 80)})
	}
	var took []time.Duration
	for range max(b.repeat, 3) {
		start := time.Now()
		if err := s.Apply(netns.ServiceTable{p}); err != nil {
			return err
		}
		took = append(took, time.Since(start))
		if err := s.Apply(nil); err != nil {
			return err
		}
	}
	b.add(newRow("1,000 endpoints of a Service applied", "ms")).set("podd", ms(median(took))).atMost(median(took), 50*time.Millisecond)
	return nil
}

// throughput is that of one TCP stream on each of the ways, in turns with one over a bare bridge.
func (b *bench) throughput(n *netns.Network, avark *netavark, dir string) error {
	first, removeFirst, err := newPodNetwork(n, dir, "a", netns.HostPort{Protocol: netns.TCP, HostPort: 5002, Container: 5001})
	defer func() { _ = removeFirst() }()
	if err != nil {
		return err
	}
	_, removeSecond, err := newPodNetwork(n, dir, "b")
	defer func() { _ = removeSecond() }()
	if err != nil {
		return err
	}
	bare, err := newBareBridge(dir)
	if err != nil {
		b.notes = append(b.notes, fmt.Sprintf("a bare bridge is left out: %v", err))
	}
	defer bare.close()
	at := func(id string) string { return filepath.Join(dir, "ns", id, "net") }
	ways := []struct{ name, server, client, to, peer string }{
		{"pod to pod", at("a"), at("b"), first.IP.String() + ":5001", "10.90.0.2:5001"},
		{"pod to pod, IPv6", at("a"), at("b"), "[" + first.IP6.String() + "]:5001", "[fd00:90::2]:5001"},
		{"pod to the node", "", at("b"), "10.88.0.1:5001", "10.90.0.1:5001"},
		{"host port from a pod", at("a"), at("b"), "10.88.0.1:5002", "10.90.0.1:5003"},
	}
	if avark != nil {
		_, err := avark.setup("avark-a", 2, `{"container_port": 5001, "host_port": 5003, "host_ip": "", "protocol": "tcp", "range": 1}`)
		if err == nil {
			_, err = avark.setup("avark-b", 3, "")
		}
		if err != nil {
			return err
		}
	}
	speeds, peers := make([][]float64, len(ways)+1), make([][]float64, len(ways))
	for range max(b.repeat, 3) {
		for i, w := range ways {
			speed, err := stream(w.server, w.client, w.to)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			speeds[i] = append(speeds[i], speed)
			if avark == nil {
				continue
			}
			server := ""
			if w.server != "" {
				server = avark.netns("avark-a")
			}
			if speed, err = stream(server, avark.netns("avark-b"), w.peer); err != nil {
				return fmt.Errorf("netavark, %s: %w", w.name, err)
			}
			peers[i] = append(peers[i], speed)
		}
		if bare != nil {
			speed, err := stream(bare.a, bare.b, "10.77.0.2:5001")
			if err != nil {
				return fmt.Errorf("bare bridge: %w", err)
			}
			speeds[len(ways)] = append(speeds[len(ways)], speed)
		}
	}
	floor := median(speeds[len(ways)])
	if bare != nil {
		b.add(newRow("one TCP stream over a bare bridge", "Gbit/s")).set("podd", fmt.Sprintf("%.1f", floor))
	}
	for i, w := range ways {
		speed := median(speeds[i])
		r := b.add(newRow("  "+w.name, "Gbit/s")).set("podd", fmt.Sprintf("%.1f", speed))
		if avark != nil {
			r.set("podman", fmt.Sprintf("%.1f", median(peers[i])))
		}
		if bare != nil {
			r.judge(speed >= 0.95*floor, ">= 95 %% of the bridge's")
		}
	}
	return nil
}

// stream sends for a second from one namespace to another ("" is the bench's own) and returns Gbit/s.
func stream(server, client, to string) (float64, error) {
	var l net.Listener
	err := within(server, func() (err error) {
		l, err = net.Listen("tcp", ":5001")
		return err
	})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	received := make(chan float64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			received <- 0
			return
		}
		defer c.Close()
		start := time.Now()
		n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 128<<10))
		received <- float64(n) * 8 / time.Since(start).Seconds() / 1e9
	}()
	var c net.Conn
	err = within(client, func() (err error) {
		c, err = (&net.Dialer{Timeout: 5 * time.Second, FallbackDelay: -1}).Dial("tcp", to)
		return err
	})
	if err != nil {
		return 0, err
	}
	block := make([]byte, 128<<10)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if _, err := c.Write(block); err != nil {
			c.Close()
			return 0, err
		}
	}
	c.Close()
	return <-received, nil
}

func within(ns string, fn func() error) error {
	if ns == "" {
		return fn()
	}
	return lab.InNetns(ns, fn)
}

// bareBridge is two namespaces with a veth pair each on a bridge, whose traffic no rule sees.
type bareBridge struct{ a, b string }

// bareScript wires the namespace $1 as bare-$2 with the address $3; the other end comes to the shell's own.
const bareScript = `set -e
ip link show bare0 >/dev/null 2>&1 || { ip link add bare0 type bridge; ip link set bare0 up; }
nsenter --net=$1 ip link add eth0 type veth peer name bare-$2 netns $$
nsenter --net=$1 ip addr add $3 dev eth0
nsenter --net=$1 ip link set eth0 up
ip link set bare-$2 master bare0 up`

func newBareBridge(dir string) (*bareBridge, error) {
	at := func(name string) string { return filepath.Join(dir, "ns", name) }
	w := &bareBridge{filepath.Join(at("bare-a"), "net"), filepath.Join(at("bare-b"), "net")}
	for _, end := range []struct{ name, addr string }{{"a", "10.77.0.2/24"}, {"b", "10.77.0.3/24"}} {
		box := at("bare-" + end.name)
		if err := namespace.EnsureSandbox(box, namespace.SandboxOptions{Net: true}); err != nil {
			return nil, err
		}
		out, err := exec.Command("sh", "-c", bareScript, "sh", filepath.Join(box, "net"), end.name, end.addr).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
	}
	return w, nil
}

func (w *bareBridge) close() {
	if w != nil {
		_ = errors.Join(namespace.RemoveSandbox(filepath.Dir(w.a)), namespace.RemoveSandbox(filepath.Dir(w.b)), exec.Command("ip", "link", "del", "bare0").Run())
	}
}
