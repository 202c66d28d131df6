package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/inspect"
	"podd/netns/namespace"
	"podd/netns/nft"
	"podd/netns/nstest"
	"podd/netns/rtnetlink"
)

// hostLinks counts the interfaces of the host side.
func hostLinks(t testing.TB) int {
	t.Helper()
	links, err := rtnetlink.RetryDump(inspect.ListLinks)
	if err != nil {
		t.Fatal(err)
	}
	return len(links)
}

// podLink is eth0 inside a sandbox.
func podLink(t *testing.T, dir string) *rtnetlink.Link {
	t.Helper()
	var l *rtnetlink.Link
	err := namespace.Do(filepath.Join(dir, "net"), func() error {
		c, err := rtnetlink.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		l, err = c.GetLink(podIf)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAttach(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	dir := filepath.Join(newSandboxRoot(t), "pod")
	if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
		t.Fatal(err)
	}
	links := hostLinks(t)
	a, err := n.Attach(Pod{ID: "uid-1", NetNS: filepath.Join(dir, "net")})
	if err != nil {
		t.Fatal(err)
	}
	want := Attachment{
		IP: netip.MustParseAddr("10.88.0.2"), IP6: netip.MustParseAddr("fd00:88::2"), Gateway: netip.MustParseAddr("10.88.0.1"),
		MAC: "0a:58:0a:58:00:02", HostIf: hostIf("uid-1"),
	}
	if a != want {
		t.Errorf("Attach = %+v, want %+v", a, want)
	}
	if ip, ok := n.lease("uid-1"); !ok || ip != a.IP {
		t.Errorf("Lease = %v, %v", ip, ok)
	}
	before := podLink(t, dir)
	if before == nil || !before.Up || net.HardwareAddr(before.MAC).String() != a.MAC {
		t.Fatalf("eth0 = %+v", before)
	}
	again, err := n.Attach(Pod{ID: "uid-1", NetNS: filepath.Join(dir, "net")})
	if err != nil || again != a {
		t.Errorf("a second Attach = %+v, %v", again, err)
	}
	if after := podLink(t, dir); after.Index != before.Index {
		t.Errorf("a second Attach replaced eth0: index %d, then %d", before.Index, after.Index)
	}
	for range 2 {
		if err := n.Detach("uid-1"); err != nil {
			t.Fatal(err)
		}
	}
	if got := hostLinks(t); got != links {
		t.Errorf("%d interfaces, %d before", got, links)
	}
	if _, ok := n.lease("uid-1"); ok {
		t.Error("the lease is left")
	}
	if l := podLink(t, dir); l != nil {
		t.Errorf("eth0 is left: %+v", l)
	}
}

// Leftovers that a crash, or another namespace of the same pod, can leave behind.
func TestAttachOverLeftovers(t *testing.T) {
	host := func(n *Network) *rtnetlink.Conn {
		c, err := n.host()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, spoil := range map[string]func(t *testing.T, n *Network, root, dir string){
		"address not set": func(t *testing.T, n *Network, _, dir string) {
			err := namespace.Do(filepath.Join(dir, "net"), func() error {
				c, err := rtnetlink.Dial()
				if err != nil {
					return err
				}
				defer c.Close()
				l, err := c.GetLink(podIf)
				if err != nil {
					return err
				}
				r := rtnetlink.SetAddr(l.Index, netip.MustParsePrefix("10.88.0.2/32"))
				r.Type = unix.RTM_DELADDR
				_, err = c.Do(r)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		},
		"a port of a bridge": func(t *testing.T, n *Network, _, _ string) {
			l, err := host(n).GetLink(hostIf("uid"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := host(n).Do(rtnetlink.SetMaster(l.Index, int(n.bridge.Load()))); err != nil {
				t.Fatal(err)
			}
		},
		"marked for deletion": func(t *testing.T, n *Network, _, _ string) {
			if _, err := host(n).Do(setGroup(hostIf("uid"), nft.MarkedForDeletion)); err != nil {
				t.Fatal(err)
			}
		},
		"sandbox made anew": func(t *testing.T, _ *Network, _, dir string) {
			if err := unix.Unmount(filepath.Join(dir, "net"), unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
			if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
				t.Fatal(err)
			}
		},
		"peer is elsewhere": func(t *testing.T, n *Network, root, dir string) {
			other := filepath.Join(root, "other")
			if err := namespace.EnsureSandbox(other, allNamespaces); err != nil {
				t.Fatal(err)
			}
			if err := host(n).DeleteLink(hostIf("uid")); err != nil {
				t.Fatal(err)
			}
			for _, p := range []struct{ name, dir string }{{hostIf("uid"), other}, {"stranger", dir}} {
				f, err := os.Open(filepath.Join(p.dir, "net"))
				if err != nil {
					t.Fatal(err)
				}
				v := rtnetlink.VethPair{
					Host: p.name, Peer: podIf, PeerNS: int(f.Fd()),
					MAC: podMAC(n.gateway.Next()),
				}
				_, err = host(n).Do(v.Create())
				f.Close()
				if err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTestNetwork(t, "10.88.0.0/24")
			root := newSandboxRoot(t)
			dir := filepath.Join(root, "pod")
			if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
				t.Fatal(err)
			}
			links := hostLinks(t)
			first, err := n.Attach(Pod{ID: "uid", NetNS: filepath.Join(dir, "net")})
			if err != nil {
				t.Fatal(err)
			}
			spoil(t, n, root, dir)
			second, err := n.Attach(Pod{ID: "uid", NetNS: filepath.Join(dir, "net")})
			if err != nil || first != second {
				t.Fatalf("Attach = %+v, %v, want %+v", second, err, first)
			}
			if err := deleteGroup(host(n), nft.MarkedForDeletion); err != nil {
				t.Fatal(err)
			}
			reach(t, filepath.Join(dir, "net"), n.gateway)
			if err := n.Detach("uid"); err != nil {
				t.Fatal(err)
			}
			if got := hostLinks(t); got != links {
				t.Errorf("%d interfaces, %d before", got, links)
			}
		})
	}
}

// A link-local address is what a starting pod would send multicasts for.
func TestStartingIsQuiet(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	dir := filepath.Join(newSandboxRoot(t), "pod")
	if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Attach(Pod{ID: "pod", NetNS: filepath.Join(dir, "net")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Detach("pod") })
	var addrs string
	err := namespace.Do(filepath.Join(dir, "net"), func() error {
		b, err := os.ReadFile("/proc/thread-self/net/if_inet6")
		addrs = string(b)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("a kernel without IPv6")
	}
	if err != nil || strings.Contains(addrs, "fe80") {
		t.Errorf("IPv6 addresses, %v:\n%s", err, addrs)
	}
}

func readTasks(t *testing.T) []os.DirEntry {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

func TestManyPodsAtOnce(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	root := newSandboxRoot(t)
	links, mounts := hostLinks(t), nstest.MountsBelow(t, root)
	const pods = 100
	threads := len(readTasks(t))
	seen := map[netip.Addr]bool{}
	var mu sync.Mutex
	each := func(fn func(id, dir string) error) {
		var wg sync.WaitGroup
		for i := range pods {
			wg.Go(func() {
				id := fmt.Sprintf("pod-%d", i)
				if err := fn(id, filepath.Join(root, id)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	each(func(id, dir string) error {
		if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
			return err
		}
		a, err := n.Attach(Pod{ID: id, NetNS: filepath.Join(dir, "net")})
		mu.Lock()
		defer mu.Unlock()
		seen[a.IP] = true
		return err
	})
	if len(seen) != pods {
		t.Errorf("%d pods share %d addresses", pods, len(seen))
	}
	each(func(id, dir string) error { return errors.Join(n.Detach(id), namespace.RemoveSandbox(dir)) })
	if more := len(readTasks(t)) - threads; more >= pods {
		t.Errorf("%d threads more: one per pod would stay with the daemon", more)
	}
	if got := hostLinks(t); got != links {
		t.Errorf("%d interfaces, %d before", got, links)
	}
	// The parent's own bind is what stays.
	if got := nstest.MountsBelow(t, root); got != mounts+1 {
		t.Errorf("%d mounts, %d before", got, mounts)
	}
	ids, err := n.leases.Holders()
	if err != nil || len(ids) != 0 {
		t.Errorf("leases of %v are left, %v", ids, err)
	}
}

func TestCollect(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	a, b := attachPod(t, n, "a"), attachPod(t, n, "b")
	if _, err := n.leases.Acquire("lease only"); err != nil {
		t.Fatal(err)
	}
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	stranger := hostIf("a pod of another bridge")
	if _, err := host.Do(rtnetlink.CreateBridge(stranger, podMAC(n.gateway))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.DeleteLink(stranger) })
	for range 2 {
		if err := n.Collect(map[string]bool{"a": true, "b": false}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{a.HostIf: true, b.HostIf: false, stranger: true} {
		if l, err := host.GetLink(name); err != nil || (l != nil) != want {
			t.Errorf("%s is there: %v, %v, want %v", name, l != nil, err, want)
		}
	}
	ids, err := n.leases.Holders()
	if err != nil || len(ids) != 1 || ids[0] != "a" {
		t.Errorf("leases of %v, %v, want a's", ids, err)
	}
}

func TestAttachWithoutNamespace(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	if _, err := n.Attach(Pod{ID: "a", NetNS: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v, want os.ErrNotExist", err)
	}
	if _, ok := n.lease("a"); ok {
		t.Error("a pod without a namespace holds an address")
	}
}
