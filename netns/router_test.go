package netns

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nft"
	"podd/netns/nstest"
	"podd/netns/rtnetlink"
)

// setForwarding says for both families what the machine is told by others.
func setForwarding(t *testing.T, value string) {
	t.Helper()
	for _, name := range []string{forwarding4, forwarding6} {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func forwardingNow(t *testing.T) string {
	t.Helper()
	var all []string
	for _, name := range []string{forwarding4, forwarding6} {
		b, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(string(b)))
	}
	return strings.Join(all, " ")
}

// routes says for each family whether a host of one network reaches one of another through the node.
func routes(from, to lan) (open [2]bool) {
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() {
			name, _, err := ask(from.ns, TCP, netip.AddrPortFrom(to.host[i], 8080).String())
			open[i] = err == nil && name == to.id
		})
	}
	both.Wait()
	return open
}

// eventuallyRoutes waits until the node routes, or does not: a change by others is heard of a moment later.
func eventuallyRoutes(t *testing.T, from, to lan, want [2]bool) {
	t.Helper()
	nstest.Eventually(t, fmt.Sprint("routing between others to be ", want), func() bool { return routes(from, to) == want })
}

// podsRoute checks what pods need forwarding for: the way out, and host ports from outside.
func podsRoute(t *testing.T, p testPod, lans ...lan) {
	t.Helper()
	for _, l := range lans {
		for i := range 2 {
			wantAnswer(t, p.ns, TCP, netip.AddrPortFrom(l.host[i], 8080).String(), l.id)
			wantAnswer(t, l.ns, TCP, netip.AddrPortFrom(l.node[i], 80).String(), p.id)
			// What goes wrong comes back, in both directions: nobody listens there.
			wantRefused(t, p.ns, UDP, netip.AddrPortFrom(l.host[i], 9).String())
			wantRefused(t, l.ns, UDP, netip.AddrPortFrom(l.node[i], 81).String())
		}
	}
}

// A machine on two networks that does not route between them does not do so for running pods; one that does goes on with
// it, whoever has begun it, before podd or after.
func TestPodsMakeNoRouter(t *testing.T) {
	nstest.NeedRoot(t)
	setForwarding(t, "0")
	t.Cleanup(func() { setForwarding(t, "0") })
	n, root := newServiceNetwork(t)
	if got := forwardingNow(t); got != "2 2" {
		t.Fatalf("forwarding is %s, want it on for pods", got)
	}
	east, west := newLAN(t, n, root, "east", 1), newLAN(t, n, root, "west", 2)
	for _, l := range []lan{east, west} {
		l.serve(t, 8080)
	}
	ports := []HostPort{{Protocol: TCP, HostPort: 80, Container: 8080}, {Protocol: UDP, HostPort: 81, Container: 9}}
	a := newTestPod(t, n, root, Pod{ID: "a", Ports: ports})
	a.serve(t, 8080)
	shut, open := [2]bool{}, [2]bool{true, true}
	podsRoute(t, a, east, west)
	if routes(east, west) != shut || routes(west, east) != shut {
		t.Error("podd has made a router")
	}

	// Another daemon remembers whose doing it was: the kernel says so.
	n.Close()
	next, err := New(n.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Close)
	next.Await()
	if err := next.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	if routes(east, west) != shut {
		t.Error("another daemon has made a router before it knows its pods")
	}
	if _, err := next.Restore([]Pod{{ID: "a", NetNS: a.ns, Ports: ports, IP: a.IP}}); err != nil {
		t.Fatal(err)
	}
	if err := next.SetPolicies(nil); err != nil {
		t.Fatal(err)
	}
	podsRoute(t, a, east, west)
	if routes(east, west) != shut {
		t.Error("another daemon has made a router")
	}

	watch(t, next)
	setForwarding(t, "1")
	eventuallyRoutes(t, east, west, open)
	setForwarding(t, "0")
	nstest.Eventually(t, "forwarding for pods", func() bool { return forwardingNow(t) == "2 2" })
	if routes(east, west) != shut {
		t.Error("podd has made a router of a machine that is none any more")
	}
	podsRoute(t, a, east, west)
}

// Forwarding that was on before podd stays what it was, and so does one of podd's on a machine that is configured as a router.
func TestRoutersStayRouters(t *testing.T) {
	nstest.NeedRoot(t)
	for name, c := range map[string]struct {
		before string
		change func(*Config)
		after  string
		gone   string
	}{
		"by somebody else": {"1", func(*Config) {}, "1 1", "1 1"},
		"by configuration": {"0", func(c *Config) { c.Router = true }, "2 2", "0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			setForwarding(t, c.before)
			t.Cleanup(func() { setForwarding(t, "0") })
			n, root := newServiceNetwork(t, c.change)
			if got := forwardingNow(t); got != c.after {
				t.Errorf("forwarding is %s, want %s", got, c.after)
			}
			east, west := newLAN(t, n, root, "east", 1), newLAN(t, n, root, "west", 2)
			west.serve(t, 8080)
			eventuallyRoutes(t, east, west, [2]bool{true, true})
			if err := n.RemoveHost(); err != nil {
				t.Fatal(err)
			}
			if got := forwardingNow(t); got != c.gone {
				t.Errorf("without podd forwarding is %s, want %s", got, c.gone)
			}
		})
	}
}

// The table goes, and with it what keeps the machine from routing: so forwarding goes first. Redirects are listened to
// as little as before.
func TestForwardingEndsWithPodd(t *testing.T) {
	nstest.NeedRoot(t)
	setForwarding(t, "0")
	const redirects = "/proc/sys/net/ipv4/conf/all/accept_redirects"
	if err := os.WriteFile(redirects, []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	n, _ := newServiceNetwork(t)
	for range 2 {
		if err := n.RemoveHost(); err != nil {
			t.Fatal(err)
		}
		if got := forwardingNow(t); got != "0 0" {
			t.Errorf("forwarding is %s, want none", got)
		}
	}
	if b, err := os.ReadFile(redirects); err != nil || string(b) != "0\n" {
		t.Errorf("accept_redirects is %q, %v", b, err)
	}
}

// No rules, no forwarding.
func TestForwardingWaitsForTheRules(t *testing.T) {
	nstest.NeedRoot(t)
	setForwarding(t, "0")
	n := openTestNetwork(t, "10.88.0.0/24", t.TempDir())
	n.rules.ports.Chain("broken", &nft.Hook{Kind: "nonsense", Number: unix.NF_INET_FORWARD})
	t.Cleanup(func() {
		if err := n.RemoveHost(); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		if err := n.EnsureHost(); err == nil {
			t.Fatal("rules that the kernel cannot have were accepted")
		}
		if err := n.repairer.repair(hintHost); err == nil {
			t.Error("nothing is said")
		}
		if got := forwardingNow(t); got != "0 0" {
			t.Fatalf("forwarding is %s without rules", got)
		}
	}
}

// With br_netfilter, what goes through a bridge of the machine passes the rules for forwarded packets. It is not: the
// hosts are on one network.
func TestBridgesOfOthersGoOn(t *testing.T) {
	nstest.NeedRoot(t)
	const filter = "/proc/sys/net/bridge/bridge-nf-call-iptables"
	if err := os.WriteFile(filter, []byte("1"), 0); err != nil {
		t.Skip("needs br_netfilter: ", err)
	}
	setForwarding(t, "0")
	n, root := newServiceNetwork(t)
	watch(t, n)
	east, west := newLAN(t, n, root, "east", 1), newLAN(t, n, root, "west", 2)
	east.serve(t, 8080)
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(rtnetlink.CreateBridge("br-others", podMAC(netip.MustParseAddr("192.0.9.1")))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.DeleteLink("br-others") })
	br := mustLink(t, host, "br-others").Index
	for _, l := range []lan{east, west} {
		port := mustLink(t, host, l.id).Index
		reqs := rtnetlink.Requests(rtnetlink.SetMaster(port, br))
		for _, ip := range l.node {
			r := rtnetlink.SetAddr(port, lanPrefix(ip))
			r.Type, r.Flags = unix.RTM_DELADDR, unix.NLM_F_REQUEST
			reqs = append(reqs, r)
		}
		if _, err := host.Do(reqs...); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(west.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = inNetns(int(f.Fd()), func(c *rtnetlink.Conn) error {
		index := mustLink(t, c, podIf).Index
		_, err := c.Do(rtnetlink.SetAddr(index, netip.MustParsePrefix("192.0.1.3/24")), rtnetlink.SetAddr(index, netip.MustParsePrefix("2001:db8:1::3/64")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		wantAnswer(t, west.ns, TCP, netip.AddrPortFrom(east.host[i], 8080).String(), "east")
	}
}
