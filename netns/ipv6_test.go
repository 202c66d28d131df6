package netns

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"podd/netns/namespace"
	"podd/netns/nstest"
)

// disableIPv6 switches IPv6 off for the machine, an interface or interfaces to come, and on again with the test.
func disableIPv6(t *testing.T, name string) {
	t.Helper()
	nstest.NeedRoot(t)
	set := func(value string) error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte(value), 0)
	}
	if err := set("1"); err != nil {
		t.Skip("this kernel has no IPv6: ", err)
	}
	t.Cleanup(func() {
		if err := set("0"); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	})
}

// changes gathers what a network tells.
type changes struct {
	mu  sync.Mutex
	all []string
}

func (c *changes) tell(reason, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, reason)
}

func (c *changes) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

func TestIPv6IsDisabledAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		mtu  int
		six  bool
		told []string
	}{
		"all":     {0, false, []string{IPv6Disabled}},
		"default": {0, false, []string{IPv6Disabled}},
		"lo":      {0, true, nil},
		"an MTU":  {1000, false, []string{IPv6Disabled}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.mtu == 0 {
				disableIPv6(t, name)
			}
			var told changes
			n, root := newServiceNetwork(t, func(cfg *Config) { cfg.Changed, cfg.MTU = told.tell, c.mtu })
			apply(t, n)
			for i, id := range []string{"a", "b"} {
				p := newTestPod(t, n, root, Pod{ID: id, Ports: []HostPort{{Protocol: TCP, HostPort: 9000 + uint16(i), Container: 8080}}})
				p.serve(t, 8080)
				if p.IP6.IsValid() != c.six || len(p.IPs()) == 2 != c.six {
					t.Errorf("%s has %s", id, p.IPs())
				}
				wantAnswer(t, "", TCP, netip.AddrPortFrom(p.IP, 8080).String(), id)
				wantAnswer(t, p.ns, TCP, "10.88.0.1:900"+string(rune('0'+i)), id)
				if c.six {
					wantAnswer(t, p.ns, TCP, "[fd00:88::1]:900"+string(rune('0'+i)), id)
				}
			}
			if err := n.EnsureHost(); err != nil {
				t.Error(err)
			}
			if got := told.list(); !slices.Equal(got, c.told) {
				t.Errorf("told %q, want %q", got, c.told)
			}
		})
	}
}

// IPv6 that is switched off while podd runs is off for new pods, and those that had it have it again when it is back.
func TestIPv6GoesAndComesBack(t *testing.T) {
	var told changes
	n, root := newServiceNetwork(t, func(c *Config) { c.Changed = told.tell })
	apply(t, n)
	watch(t, n)
	a := newTestPod(t, n, root, Pod{ID: "a"})
	a.serve(t, 8080)
	at6 := netip.AddrPortFrom(a.IP6, 8080).String()
	wantAnswer(t, "", TCP, at6, "a")
	t.Run("off", func(t *testing.T) {
		disableIPv6(t, "all")
		nstest.Eventually(t, "the network knows", func() bool { return !n.UsesIPv6() })
		b := newTestPod(t, n, root, Pod{ID: "b"})
		b.serve(t, 8080)
		if b.IP6.IsValid() {
			t.Errorf("a pod got %s", b.IP6)
		}
		wantAnswer(t, a.ns, TCP, netip.AddrPortFrom(b.IP, 8080).String(), "b")
		wantAnswer(t, b.ns, TCP, netip.AddrPortFrom(a.IP, 8080).String(), "a")
		if err := n.repairer.repair(hintAllPods | hintHost); err != nil {
			t.Error(err)
		}
	})
	nstest.Eventually(t, "the network knows", n.UsesIPv6)
	nstest.Eventually(t, "an answer over IPv6", func() bool {
		name, _, err := ask("", TCP, at6)
		return err == nil && name == "a"
	})
	c := newTestPod(t, n, root, Pod{ID: "c"})
	wantAnswer(t, c.ns, TCP, at6, "a")
	if got := told.list(); !slices.Equal(got, []string{IPv6Disabled, IPv6Enabled}) {
		t.Errorf("told %q", got)
	}
}

// A pod that does without IPv6 is no trouble of the machine's.
func TestPodWithoutIPv6(t *testing.T) {
	var told changes
	n, root := newServiceNetwork(t, func(c *Config) { c.Changed = told.tell })
	apply(t, n)
	port := []HostPort{{Protocol: TCP, HostPort: 9000, Container: 8080}}
	dir := filepath.Join(root, "a")
	if err := namespace.EnsureSandbox(dir, namespace.SandboxOptions{Net: true, Sysctls: map[string]string{"net.ipv6.conf.all.disable_ipv6": "1"}}); err != nil {
		t.Fatal(err)
	}
	attachment, err := n.Attach(Pod{ID: "a", NetNS: filepath.Join(dir, "net"), Ports: port})
	if err != nil || attachment.IP6.IsValid() {
		t.Fatal(attachment, err)
	}
	serveIn(t, filepath.Join(dir, "net"), "a", 8080)
	wantAnswer(t, "", TCP, "10.88.0.1:9000", "a")
	wantRefused(t, "", TCP, "[fd00:88::1]:9000")
	n = nextDaemon(t, n)
	if homeless, err := n.Restore([]Pod{{ID: "a", NetNS: filepath.Join(dir, "net"), Ports: port, IP: attachment.IP, IPv4Only: true}}); err != nil || len(homeless) > 0 {
		t.Fatal(homeless, err)
	}
	wantAnswer(t, "", TCP, "10.88.0.1:9000", "a")
	if err := n.Detach("a"); err != nil {
		t.Fatal(err)
	}
	if got := told.list(); len(got) > 0 {
		t.Errorf("told %q", got)
	}
}
