package netns

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns/namespace"
)

// BenchmarkAttach is the network of one pod from nothing: namespaces, address, veth pair, route.
func BenchmarkAttach(b *testing.B) {
	n := newTestNetwork(b, "10.88.0.0/16")
	root := newSandboxRoot(b)
	var sandbox, attach, detach, remove time.Duration
	var cpu int64
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("bench-%d", i)
		dir := filepath.Join(root, id)
		start, cpu0 := time.Now(), cpuNow()
		if err := namespace.EnsureSandbox(dir, namespace.SandboxOptions{Hostname: "web", Net: true, IPC: true, UTS: true}); err != nil {
			b.Fatal(err)
		}
		made := time.Now()
		if _, err := n.Attach(Pod{ID: id, NetNS: filepath.Join(dir, "net")}); err != nil {
			b.Fatal(err)
		}
		cpu += cpuNow() - cpu0
		done := time.Now()
		if err := n.Detach(id); err != nil {
			b.Fatal(err)
		}
		off := time.Now()
		if err := namespace.RemoveSandbox(dir); err != nil {
			b.Fatal(err)
		}
		sandbox, attach = sandbox+made.Sub(start), attach+done.Sub(made)
		detach, remove = detach+off.Sub(done), remove+time.Since(off)
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
	b.ReportMetric(per(sandbox), "µs-sandbox")
	b.ReportMetric(per(attach), "µs-attach")
	b.ReportMetric(float64(cpu)/float64(b.N), "µs-cpu-up")
	b.ReportMetric(per(detach), "µs-detach")
	b.ReportMetric(per(remove), "µs-remove")
}

// cpuNow is the process's CPU time in microseconds.
func cpuNow() int64 {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return (r.Utime.Nano() + r.Stime.Nano()) / 1000
}

// BenchmarkPackets sends small packets of a conversation from a pod to another one and to the node: what each costs on its way
// through the node's rules.
func BenchmarkPackets(b *testing.B) {
	n, root := newServiceNetwork(b)
	p, q := newTestPod(b, n, root, Pod{ID: "p"}), newTestPod(b, n, root, Pod{ID: "q"})
	for _, c := range []struct {
		name, ns string
		to       netip.Addr
	}{{"pod4", q.ns, q.IP}, {"pod6", q.ns, q.IP6}, {"node4", "", n.gateway}, {"node6", "", n.gateway6}} {
		b.Run(c.name, func(b *testing.B) {
			var u *net.UDPConn
			err := inside(c.ns, func() (err error) {
				u, err = net.ListenUDP("udp", &net.UDPAddr{IP: c.to.AsSlice(), Port: 9000})
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			defer u.Close()
			fd, err := open(p.ns, UDP, netip.AddrPortFrom(c.to, 9000))
			if err != nil {
				b.Fatal(err)
			}
			defer unix.Close(fd)
			word := make([]byte, 64)
			for b.Loop() {
				if _, err := unix.Write(fd, word); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
