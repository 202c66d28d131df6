package netns

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// generation is what the kernel counts up with each change of the ruleset.
func generation(t *testing.T) uint32 {
	t.Helper()
	r := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
	r.AddData(&nl.Nfgenmsg{Version: nl.NFNETLINK_V0})
	msgs, err := r.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	var id uint32
	eachAttr(msgs[0][4:], func(kind uint16, value []byte) {
		if kind == unix.NFTA_GEN_ID {
			id = binary.BigEndian.Uint32(value)
		}
	})
	return id
}

// rulesOf are the comments of all rules in podd's table.
func rulesOf(t *testing.T, n *Network) []string {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	var comments []string
	for _, chain := range n.chains() {
		rules, err := c.GetRules(chain.Table, chain)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			comments = append(comments, string(r.UserData))
		}
	}
	return comments
}

func TestEnsureHostRepairs(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	if got := rulesOf(t, n); len(got) != 3 {
		t.Fatalf("rules = %q, want 3", got)
	}
	before := generation(t)
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	if after := generation(t); after != before {
		t.Errorf("a second EnsureHost changed the ruleset: generation %d, then %d", before, after)
	}

	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	c.FlushRuleset()
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	if got := rulesOf(t, n); len(got) != 3 {
		t.Errorf("after a flush: rules = %q, want 3", got)
	}
	if got, _ := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); string(got) != "1\n" {
		t.Errorf("ip_forward = %q, want 1", got)
	}

	// A rule of somebody's between ours is not what we want to be there.
	chain := n.chains()[1]
	c.InsertRule(&nftables.Rule{Table: chain.Table, Chain: chain})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	if got := rulesOf(t, n); len(got) != 3 {
		t.Errorf("after an insertion: rules = %q, want 3", got)
	}
}

func TestRulesFollowTheConfiguration(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	before := rulesOf(t, n)
	other := openTestNetwork(t, "10.99.0.0/24", t.TempDir())
	if err := other.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	after := rulesOf(t, other)
	if len(after) != 3 || after[0] == before[0] {
		t.Errorf("rules = %q, then %q; want them replaced", before, after)
	}
}

func TestBridgeKeepsItsAddress(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	attachPod(t, n, "a")
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	l, err := host.getLink("podd0")
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	if l.mac != string(macOf(n.gateway)) || !l.up {
		t.Errorf("bridge = %x up %v, want %x up", l.mac, l.up, macOf(n.gateway))
	}
}

func TestEnsureHostGivesPortsBack(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	a := attachPod(t, n, "a")
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.deleteLink("podd0"); err != nil {
		t.Fatal(err)
	}
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	bridge, _ := host.getLink("podd0")
	port, err := host.getLink(a.HostIf)
	if err != nil || bridge == nil || port == nil {
		t.Fatal(bridge, port, err)
	}
	if port.master != bridge.index {
		t.Errorf("master of %s = %d, want %d", a.HostIf, port.master, bridge.index)
	}
}

// A bridge replaced behind our back has another index than the one that Attach knows.
func TestAttachFindsAReplacedBridge(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.deleteLink("podd0"); err != nil {
		t.Fatal(err)
	}
	attachPod(t, n, "a")
}

func TestEnsureHostRefusesOtherKinds(t *testing.T) {
	needRoot(t)
	n, err := New(Config{Bridge: "lo", CIDR: netip.MustParsePrefix("10.88.0.0/24"), LeaseDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	if err := n.EnsureHost(); !errors.Is(err, ErrNotABridge) {
		t.Errorf("err = %v, want ErrNotABridge", err)
	}
}

func TestForwardingIsWrittenOnlyWhenOff(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "net/ipv4/ip_forward")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{CIDR: netip.MustParsePrefix("10.88.0.0/24"), LeaseDir: dir, ProcSys: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ before, after string }{{"0\n", "1"}, {"1\n", "1\n"}} {
		if err := os.WriteFile(path, []byte(c.before), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := n.ensureForwarding(); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != c.after {
			t.Errorf("%q became %q, want %q", c.before, got, c.after)
		}
	}
}

func TestRemoveHostSparesAnothersBridge(t *testing.T) {
	needRoot(t)
	n := openTestNetwork(t, "10.88.0.0/24", t.TempDir())
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.do(createBridge("podd0", macOf(netip.MustParseAddr("1.2.3.4")), 0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.deleteLink("podd0") })
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.RemoveHost(); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := host.getLink("podd0"); err != nil || l == nil {
		t.Fatalf("bridge = %v, %v; want it kept", l, err)
	}
	if ips, err := HostIPs(); err != nil || len(ips) != 0 {
		t.Errorf("addresses = %v, %v; want the gateway's gone", ips, err)
	}
}
