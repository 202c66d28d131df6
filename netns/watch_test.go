package netns

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/namespace"
	"podd/netns/nstest"
	"podd/netns/rtnetlink"
)

// watch runs the network's watch for the test; moved counts.
func watch(t *testing.T, n *Network) (moved *atomic.Int64) {
	t.Helper()
	moved = &atomic.Int64{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- n.Watch(ctx, func() { moved.Add(1) }, func(what string, err error) {
			if err != nil {
				t.Error(what, err)
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// It listens once a change shows.
	const path = "/proc/sys/net/ipv4/ip_forward"
	nstest.Eventually(t, "an event", func() bool {
		_ = os.WriteFile(path, []byte("0"), 0)
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			if b, _ := os.ReadFile(path); string(b) == "2\n" {
				return true
			}
		}
		return false
	})
	return moved
}

// A pod's own beginning is nothing to repair.
func TestAttachIsNoEvent(t *testing.T) {
	n, root := newServiceNetwork(t)
	events, err := listen(unix.NETLINK_ROUTE, groupLink, groupIPv4Addr, groupIPv4Route, groupIPv6Addr, groupIPv6Route)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	newTestPod(t, n, root, Pod{ID: "a"})
	heard := false
	for buf := make([]byte, rtnetlink.AnswerSize); ; {
		size, _, err := unix.Recvfrom(int(events.Fd()), buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for rest := buf[:size]; len(rest) > 0; {
			var m rtnetlink.Message
			if m, rest, err = rtnetlink.NextMessage(rest); err != nil {
				t.Fatal(err)
			}
			heard = true
			if h := n.repairer.classifyRoutes(m); h&(hintPods|hintAllPods) != 0 {
				l, _ := rtnetlink.ParseLink(m.Data)
				t.Errorf("message %d of %+v is taken for damage", m.Kind, l)
			}
		}
	}
	if !heard {
		t.Error("the kernel told nothing")
	}
}

// stream is a connection from a to b that must go on.
type stream struct {
	t  *testing.T
	fd int
}

func newStream(t *testing.T, ns, to string) stream {
	t.Helper()
	fd, err := open(ns, TCP, netip.MustParseAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, _, err := hear(fd, TCP); err != nil {
		t.Fatal(err)
	}
	return stream{t, fd}
}

// goesOn sends and waits for the echo, for as long as a lost packet takes to be sent again.
func (s stream) goesOn(when string) {
	s.t.Helper()
	if _, err := unix.Write(s.fd, []byte("x")); err != nil {
		s.t.Fatal(when, err)
	}
	b := make([]byte, 10)
	nstest.Eventually(s.t, "an echo "+when, func() bool {
		size, err := unix.Read(s.fd, b)
		return err == nil && size == 1
	})
}

// With a table that others may change, as on kernels before 6.9, and with one that they may not.
func TestRepairs(t *testing.T) {
	for name, flags := range map[string]uint32{"owned": tableOwner | tablePersist, "shared": 0} {
		t.Run(name, func(t *testing.T) { testRepairs(t, flags) })
	}
}

func testRepairs(t *testing.T, flags uint32) {
	n, root := newServiceNetwork(t)
	n.rules.flags = flags
	if err := n.rules.tampered(); err != nil {
		t.Fatal(err)
	}
	a, b := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: TCP, HostPort: 8080, Container: 8080}}}), newTestPod(t, n, root, Pod{ID: "b"})
	a.serve(t, 8080)
	apply(t, n, serviceOf(TCP, a))
	whole := rulesOf(t, n)
	watch(t, n)
	between := newStream(t, b.ns, "10.88.0.2:8080")
	service := newStream(t, b.ns, "10.96.0.1:80")
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := &nftables.Table{Name: "podd", Family: nftables.TableFamilyINet}
	for name, spoil := range map[string]func() error{
		"the ruleset is flushed":   func() error { c.FlushRuleset(); return c.Flush() },
		"podd's table is deleted":  func() error { c.DelTable(table); return c.Flush() },
		"a chain is flushed":       func() error { c.FlushChain(&nftables.Chain{Name: "postrouting", Table: table}); return c.Flush() },
		"the bridge is deleted":    func() error { return host.DeleteLink("podd0") },
		"a link is deleted":        func() error { return host.DeleteLink(a.HostIf) },
		"a link is taken down":     func() error { _, err := host.Do(setDown(t, host, a.HostIf)); return err },
		"a route is deleted":       func() error { return deleteRoute(host, a.IP) },
		"an IPv6 route is deleted": func() error { return deleteRoute(host, a.IP6) },
		"forwarding is turned off": func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0) },
		"IPv6 forwarding is turned off": func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("0"), 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := spoil(); errors.Is(err, unix.EPERM) && n.rules.flags != 0 {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for _, to := range []string{"10.88.0.2:8080", "[fd00:88::2]:8080", "10.96.0.1:80", "[fd00:96::1]:80", "10.88.0.1:8080", "[fd00:88::1]:8080"} {
				wantAnswer(t, b.ns, TCP, to, "a")
			}
			t.Log("answers after", time.Since(start))
			nstest.Eventually(t, "the rules as they were", func() bool { return len(rulesOf(t, n)) == len(whole) })
			between.goesOn("between pods")
			service.goesOn("through a Service")
		})
	}
}

func setDown(t *testing.T, host *rtnetlink.Conn, name string) *nl.NetlinkRequest {
	t.Helper()
	l, err := host.GetLink(name)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(l.Index)
	m.Change = unix.IFF_UP
	return rtnetlink.NewLink(0, m)
}

func deleteRoute(host *rtnetlink.Conn, ip netip.Addr) error {
	r := rtnetlink.SetHostRoute(0, ip)
	r.Type, r.Flags = unix.RTM_DELROUTE, unix.NLM_F_REQUEST
	_, err := host.Do(r)
	return err
}

// What podd does itself is no reason to do it again.
func TestOwnChangesAreNoEvents(t *testing.T) {
	n, root := newServiceNetwork(t)
	moved := watch(t, n)
	a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: TCP, HostPort: 8080, Container: 8080}}})
	apply(t, n, serviceOf(TCP, a))
	for range 3 {
		if err := n.EnsureHost(); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, moved)
	before, seen := generation(t), moved.Load()
	settle(t, moved)
	// To settle is one or two hints.
	if now := generation(t); now != before || moved.Load() > seen+2 {
		t.Errorf("the watch goes round by itself: generation %d, then %d; %d hints, then %d", before, now, seen, moved.Load())
	}
}

// settle waits for an event of its own to come through behind all others.
func settle(t *testing.T, moved *atomic.Int64) {
	t.Helper()
	before := moved.Load()
	c, err := rtnetlink.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(rtnetlink.CreateBridge("settle", podMAC(netip.MustParseAddr("1.1.1.1")))); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteLink("settle"); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, "a hint", func() bool { return moved.Load() > before })
}

func TestMovesAreSeen(t *testing.T) {
	n, root := newServiceNetwork(t)
	a := newTestPod(t, n, root, Pod{ID: "a"})
	moved := watch(t, n)
	outside := filepath.Join(root, "outside")
	if err := namespace.EnsureSandbox(outside, namespace.SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	before := moved.Load()
	uplink(t, n, outside)
	nstest.Eventually(t, "word of the uplink", func() bool { return moved.Load() > before })
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	l, err := host.GetLink("uplink")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(rtnetlink.SetMTU(l.Index, 1400), rtnetlink.SetDefaultRoute(l.Index, netip.MustParseAddr("192.0.2.2"))); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, "the uplink's MTU in the pod", func() bool {
		inner, outer := podLink(t, filepath.Dir(a.ns)), mustLink(t, host, a.HostIf)
		return inner.MTU == 1400 && outer.MTU == 1400
	})
}

func mustLink(t *testing.T, c *rtnetlink.Conn, name string) *rtnetlink.Link {
	t.Helper()
	l, err := c.GetLink(name)
	if err != nil || l == nil {
		t.Fatal(name, l, err)
	}
	return l
}
