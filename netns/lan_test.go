package netns

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/namespace"
	"podd/netns/nstest"
	"podd/netns/rtnetlink"
)

// lan is a network that the node is on, with one other host, whose default route is the node.
type lan struct {
	testPod
	node, host []netip.Addr // IPv4, IPv6
}

// lanPrefix is an address with the network that it is on.
func lanPrefix(ip netip.Addr) netip.Prefix {
	if ip.Is4() {
		return netip.PrefixFrom(ip, 24)
	}
	return netip.PrefixFrom(ip, 64)
}

// newLAN makes the network 192.0.N.0/24 and 2001:db8:N::/64 on a link of that name; it goes with the test.
func newLAN(t *testing.T, n *Network, root, name string, number byte) lan {
	t.Helper()
	dir := filepath.Join(root, name)
	if err := namespace.EnsureSandbox(dir, namespace.SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	l := lan{testPod: testPod{id: name, ns: filepath.Join(dir, "net")}}
	for _, last := range []byte{1, 2} {
		v6 := netip.MustParseAddr("2001:db8::").As16()
		v6[5], v6[15] = number, last
		ends := []netip.Addr{netip.AddrFrom4([4]byte{192, 0, number, last}), netip.AddrFrom16(v6)}
		if l.node == nil {
			l.node = ends
		} else {
			l.host = ends
		}
	}
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(l.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := rtnetlink.VethPair{Host: name, Peer: podIf, PeerNS: int(f.Fd()), MAC: podMAC(l.host[0])}
	if _, err := host.Do(v.Create()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c, err := rtnetlink.Dial() // the network may have been closed
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.DeleteLink(name); err != nil {
			t.Error(err)
		}
	})
	join := func(c *rtnetlink.Conn, name string, addrs []netip.Addr) int {
		link := mustLink(t, c, name)
		reqs := rtnetlink.Requests(rtnetlink.SetUp(link.Index), setGroup(name, 0))
		for _, a := range addrs {
			reqs = append(reqs, rtnetlink.SetAddr(link.Index, lanPrefix(a)))
		}
		if _, err := c.Do(reqs...); err != nil {
			t.Fatal(err)
		}
		return link.Index
	}
	join(host, name, l.node)
	err = inNetns(int(f.Fd()), func(c *rtnetlink.Conn) error {
		index := join(c, podIf, l.host)
		_, err := c.Do(rtnetlink.SetDefaultRoute(index, l.node[0]), rtnetlink.SetDefaultRoute(index, l.node[1]))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, "the way to "+name, func() bool {
		_, _, err := ask(l.ns, TCP, netip.AddrPortFrom(l.node[0], 9).String())
		_, _, err6 := ask(l.ns, TCP, netip.AddrPortFrom(l.node[1], 9).String())
		return fmt.Sprint(err, err6) == fmt.Sprint(unix.ECONNREFUSED, unix.ECONNREFUSED)
	})
	return l
}
