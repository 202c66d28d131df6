package netns

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"podd/netns/inspect"
	"podd/netns/namespace"
	"podd/netns/nft"
	"podd/netns/nstest"
	"podd/netns/rtnetlink"
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
	rtnetlink.EachAttr(msgs[0][4:], func(kind uint16, value []byte) {
		if kind == unix.NFTA_GEN_ID {
			id = binary.BigEndian.Uint32(value)
		}
	})
	return id
}

// rulesOf are the comments of all rules in podd's table, chain by chain.
func rulesOf(t *testing.T, n *Network) []string {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		t.Fatal(err)
	}
	var comments []string
	for _, chain := range chains {
		if chain.Table.Name != n.cfg.TableName {
			continue
		}
		rules, err := c.GetRules(chain.Table, chain)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			comments = append(comments, chain.Name+" "+string(r.UserData))
		}
	}
	return comments
}

func TestEnsureHostRepairs(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	whole := rulesOf(t, n)
	if len(whole) < 10 {
		t.Fatalf("rules = %q", whole)
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
	if got := rulesOf(t, n); !slices.Equal(got, whole) {
		t.Errorf("after a flush: rules = %q, want %q", got, whole)
	}
	if got, _ := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); string(got) != "2\n" {
		t.Errorf("ip_forward = %q, want 2", got)
	}

	if n.rules.flags != 0 {
		return // the table is podd's alone
	}
	// A rule of somebody's between ours is not what we want to be there.
	table := &nftables.Table{Name: n.cfg.TableName, Family: nftables.TableFamilyINet}
	c.InsertRule(&nftables.Rule{Table: table, Chain: &nftables.Chain{Name: "forward", Table: table}})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	if got := rulesOf(t, n); !slices.Equal(got, whole) {
		t.Errorf("after an insertion: rules = %q, want %q", got, whole)
	}
}

// A daemon that takes over from another one leaves the rules alone until it knows as much as that one did.
func TestRulesAreInherited(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	services := n.Services()
	if err := services.Apply(ServiceTable{oneService("a", "10.88.0.9:80")}); err != nil {
		t.Fatal(err)
	}
	before := generation(t)
	n.Close() // dies
	next := openTestNetwork(t, "10.88.0.0/24", t.TempDir())
	next.Await()
	again := next.Services()
	for _, step := range []func() error{next.EnsureHost, func() error { _, err := next.Restore(nil); return err }, func() error { return next.SetPolicies(nil) }} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		if now := generation(t); now != before {
			t.Fatalf("the rules have changed before all is known")
		}
	}
	if err := again.Apply(nil); err != nil {
		t.Fatal(err)
	}
	if now := generation(t); now == before {
		t.Error("the rules are still the old ones")
	}
}

func oneService(name string, ends ...string) ServicePort {
	p := ServicePort{
		Name: name, Protocol: TCP, Port: 80,
		ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd00:96::1")},
	}
	for _, e := range ends {
		p.Endpoints = append(p.Endpoints, Endpoint{Addr: netip.MustParseAddrPort(e)})
	}
	return p
}

func TestBridgeKeepsItsAddress(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	attachPod(t, n, "a")
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	l, err := host.GetLink("podd0")
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	if l.MAC != string(podMAC(n.gateway)) || !l.Up {
		t.Errorf("bridge = %x up %v, want %x up", l.MAC, l.Up, podMAC(n.gateway))
	}
}

func TestPodsOutliveTheBridge(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	dir := filepath.Join(newSandboxRoot(t), "a")
	if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Attach(Pod{ID: "a", NetNS: filepath.Join(dir, "net")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Detach("a") })
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.DeleteLink("podd0"); err != nil {
		t.Fatal(err)
	}
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	reach(t, filepath.Join(dir, "net"), n.gateway)
}

func TestEnsureHostRefusesOtherKinds(t *testing.T) {
	nstest.NeedRoot(t)
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
	n.rules.have = &nft.InKernel{}
	for _, c := range []struct{ before, after string }{{"0\n", "2"}, {"1\n", "1\n"}, {"2\n", "2\n"}} {
		if err := os.WriteFile(path, []byte(c.before), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := n.forwarding.ensureForwarding(); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != c.after {
			t.Errorf("%q became %q, want %q", c.before, got, c.after)
		}
	}
}

func TestRemoveHostSparesAnothersBridge(t *testing.T) {
	nstest.NeedRoot(t)
	n := openTestNetwork(t, "10.88.0.0/24", t.TempDir())
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(rtnetlink.CreateBridge("podd0", podMAC(netip.MustParseAddr("1.2.3.4")))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.DeleteLink("podd0") })
	if err := n.EnsureHost(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.RemoveHost(); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := host.GetLink("podd0"); err != nil || l == nil {
		t.Fatalf("bridge = %v, %v; want it kept", l, err)
	}
	if ips, err := inspect.HostIPs(); err != nil || len(ips) != 0 {
		t.Errorf("addresses = %v, %v; want the gateway's gone", ips, err)
	}
}
