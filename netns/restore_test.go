package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// nextDaemon is the network as the daemon after this one opens it.
func nextDaemon(t *testing.T, n *Network) *Network {
	t.Helper()
	n.Close()
	next, err := New(n.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Close)
	if err := next.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	return next
}

// Whatever has become of the folder of leases, pods that run keep their addresses and their host ports, and nobody else
// gets these.
func TestPodsKeepTheirAddressesWithoutLeases(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"as it was": func(string) error { return nil },
		"gone":      os.RemoveAll,
		"swapped": func(dir string) error {
			a, b := filepath.Join(dir, "10.88.0.2"), filepath.Join(dir, "10.88.0.3")
			return errors.Join(os.Rename(a, a+".tmp"), os.Rename(b, a), os.Rename(a+".tmp", b))
		},
		"a stranger's": func(dir string) error {
			a := filepath.Join(dir, "10.88.0.2")
			return errors.Join(os.Remove(a), os.Symlink("stranger", a))
		},
		"files": func(dir string) error {
			a, b := filepath.Join(dir, "10.88.0.2"), filepath.Join(dir, "10.88.0.3")
			return errors.Join(os.Remove(a), os.WriteFile(a, []byte("a"), 0o600), os.Remove(b), unix.Mkfifo(b, 0o600))
		},
		"a folder of another kind": func(dir string) error { return errors.Join(os.RemoveAll(dir), unix.Mkfifo(dir, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			n, root := newServiceNetwork(t, func(c *Config) { c.LeaseDir = filepath.Join(t.TempDir(), "leases") })
			var pods []Pod
			for i, id := range []string{"a", "b"} {
				p := Pod{ID: id, NetNS: filepath.Join(root, id, "net"), Ports: []HostPort{{Protocol: TCP, HostPort: uint16(9000 + i), Container: 80}}}
				tp := newTestPod(t, n, root, p)
				tp.serve(t, 80)
				p.IP = tp.IP
				pods = append(pods, p)
			}
			if err := damage(n.cfg.LeaseDir); err != nil {
				t.Fatal(err)
			}
			n = nextDaemon(t, n)
			homeless, err := n.Restore(slices.Clone(pods))
			if err != nil || len(homeless) != 0 {
				t.Fatal(homeless, err)
			}
			if err := n.Collect(map[string]bool{"a": true, "b": true}); err != nil {
				t.Fatal(err)
			}
			c := newTestPod(t, n, root, Pod{ID: "c"})
			for i, p := range pods {
				if ip, ok := n.lease(p.ID); !ok || ip != p.IP || c.IP == ip {
					t.Errorf("%s has %s now, before %s; the new pod %s", p.ID, ip, p.IP, c.IP)
				}
				wantAnswer(t, c.ns, TCP, netip.AddrPortFrom(p.IP, 80).String(), p.ID)
				wantAnswer(t, c.ns, TCP, fmt.Sprintf("10.88.0.1:%d", 9000+i), p.ID)
			}
		})
	}
}

// Of two pods with one address the first keeps it, and the other one, attached anew, has another and not both.
func TestOneAddressOfTwoPods(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	a.serve(t, 80)
	b.serve(t, 80)
	n = nextDaemon(t, n)
	homeless, err := n.Restore([]Pod{{ID: "a", Name: "default/a", NetNS: a.ns, IP: b.IP}, {ID: "b", NetNS: b.ns, IP: b.IP}, {ID: "c", NetNS: b.ns}})
	if err != nil || len(homeless) != 2 || !errors.Is(homeless["b"], ErrAddressTaken) || !errors.Is(homeless["c"], ErrNoAddress) {
		t.Fatal(homeless, err)
	}
	if n.isAttached("b") || len(n.Addresses("b")) != 0 {
		t.Error("the pod without an address counts as attached")
	}
	again, err := n.Attach(Pod{ID: "b", NetNS: b.ns})
	if err != nil || again.IP == b.IP {
		t.Fatal(again, err)
	}
	wantAnswer(t, "", TCP, netip.AddrPortFrom(b.IP, 80).String(), "a")
	wantAnswer(t, "", TCP, netip.AddrPortFrom(again.IP, 80).String(), "b")
	err = inside(b.ns, func() error {
		list, err := netlink.AddrList(nil, netlink.FAMILY_V4)
		for _, addr := range list {
			if got, _ := netip.AddrFromSlice(addr.IP); !got.IsLoopback() && got != again.IP {
				t.Errorf("b has %s beside %s", got, again.IP)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// What a record says of an address is believed only if a pod can have it.
func TestAddressesThatNoPodHas(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	for _, ip := range []string{"10.88.0.0", "10.88.0.1", "10.88.0.255", "127.0.0.1", "fd00:88::2", "224.0.0.1"} {
		homeless, err := n.Restore([]Pod{{ID: "a", IP: netip.MustParseAddr(ip)}})
		if err != nil || !errors.Is(homeless["a"], ErrNoAddress) {
			t.Errorf("%s: %v, %v", ip, homeless, err)
		}
	}
}
