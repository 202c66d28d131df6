package netns

import (
	"net/netip"
	"path/filepath"
	"testing"

	"podd/netns/namespace"
	"podd/netns/nstest"
)

var allNamespaces = namespace.SandboxOptions{Hostname: "web-0", Net: true, IPC: true, UTS: true}

// newTestNetwork makes a network with its host side up, and takes it down in the end.
func newTestNetwork(t testing.TB, cidr string) *Network {
	t.Helper()
	nstest.NeedRoot(t)
	n := openTestNetwork(t, cidr, filepath.Join(t.TempDir(), "leases"))
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.RemoveHost(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func openTestNetwork(t testing.TB, cidr, leaseDir string) *Network {
	t.Helper()
	n, err := New(Config{CIDR: netip.MustParsePrefix(cidr), CIDR6: netip.MustParsePrefix("fd00:88::/64"), LeaseDir: leaseDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func newSandboxRoot(t testing.TB) string {
	t.Helper()
	return nstest.SandboxRoot(t, namespace.RemoveSandbox)
}

// attachPod makes a sandbox and attaches it; both go with the test.
func attachPod(t testing.TB, n *Network, id string) Attachment {
	t.Helper()
	dir := filepath.Join(newSandboxRoot(t), id)
	if err := namespace.EnsureSandbox(dir, namespace.SandboxOptions{Hostname: id, Net: true, IPC: true, UTS: true}); err != nil {
		t.Fatal(err)
	}
	a, err := n.Attach(Pod{ID: id, NetNS: filepath.Join(dir, "net")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Detach(id); err != nil {
			t.Error(err)
		}
	})
	return a
}
