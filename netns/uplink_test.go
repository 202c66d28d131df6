package netns

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"

	"podd/netns/inspect"
	"podd/netns/namespace"
	"podd/netns/rtnetlink"
)

func TestOverlapRefusesNewPodsOnly(t *testing.T) {
	n, root := newServiceNetwork(t)
	a := newTestPod(t, n, root, Pod{ID: "a"})
	a.serve(t, 8080)
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(rtnetlink.CreateBridge("lan0", podMAC(netip.MustParseAddr("1.1.1.1")))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.DeleteLink("lan0") })
	lan := mustLink(t, host, "lan0")
	dir := filepath.Join(root, "b")
	if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr    string
		refused bool
	}{
		{"10.88.0.200/29", true}, {"10.88.0.1/24", true}, {"10.1.2.3/8", true}, {"10.89.0.1/24", false}, {"fd00:88::77/120", true},
	} {
		p := netip.MustParsePrefix(c.addr)
		if _, err := host.Do(rtnetlink.SetUp(lan.Index), rtnetlink.SetAddr(lan.Index, p), rtnetlink.SetLinkRoute(lan.Index, p.Masked())); err != nil {
			t.Fatal(err)
		}
		if err := n.EnsureHost(); err != nil {
			t.Fatal(err)
		}
		_, err := n.Attach(Pod{ID: "b", NetNS: filepath.Join(dir, "net")})
		if refused := errors.Is(err, ErrOverlap); refused != c.refused || err != nil && !refused {
			t.Errorf("%s: %v, want it refused: %v", c.addr, err, c.refused)
		}
		if _, err := n.Attach(Pod{ID: "a", NetNS: a.ns}); err != nil {
			t.Errorf("%s: the pod that was there: %v", c.addr, err)
		}
		wantAnswer(t, "", TCP, "10.88.0.2:8080", "a")
		if err := n.Detach("b"); err != nil {
			t.Fatal(err)
		}
		if err := host.DeleteLink("lan0"); err != nil {
			t.Fatal(err)
		}
		if _, err := host.Do(rtnetlink.CreateBridge("lan0", podMAC(netip.MustParseAddr("1.1.1.1")))); err != nil {
			t.Fatal(err)
		}
		lan = mustLink(t, host, "lan0")
	}
}

// A look around reads interfaces and routes one after the other: a pod may come or go between.
func TestPodsThatComeMeanwhileAreNoOverlap(t *testing.T) {
	n := newTestNetwork(t, "10.88.8.0/24")
	dir := filepath.Join(newSandboxRoot(t), "a")
	if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
		t.Fatal(err)
	}
	pods := make(chan error, 1)
	go func() {
		for range 150 {
			if _, err := n.Attach(Pod{ID: "a", NetNS: filepath.Join(dir, "net")}); err != nil {
				pods <- err
				return
			}
			if err := n.Detach("a"); err != nil {
				pods <- err
				return
			}
		}
		pods <- nil
	}()
	for {
		if err := errors.Join(n.EnsureHost(), n.Overlap()); err != nil {
			t.Error(err)
		}
		select {
		case err := <-pods:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

func TestLocalNetwork(t *testing.T) {
	a, b := inspect.LocalNetwork("x", "pods", 64), inspect.LocalNetwork("y", "pods", 64)
	if a == b || a == inspect.LocalNetwork("x", "services", 64) || a != inspect.LocalNetwork("x", "pods", 64) {
		t.Errorf("%s, %s", a, b)
	}
	if !netip.MustParsePrefix("fd00::/8").Contains(a.Addr()) || a.Bits() != 64 || a != a.Masked() {
		t.Errorf("%s is no unique local network", a)
	}
}

func TestAddr6(t *testing.T) {
	n := openTestNetwork(t, "10.88.4.0/22", t.TempDir())
	for ip, want := range map[string]string{"10.88.4.1": "fd00:88::1", "10.88.7.254": "fd00:88::3fe", "10.88.8.1": "invalid IP"} {
		if got := n.addr6(netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("IPv6 address beside %s = %s, want %s", ip, got, want)
		}
	}
}
