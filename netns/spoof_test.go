package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"podd/netns/namespace"
	"podd/netns/nft"
	"podd/netns/nstest"
	"podd/netns/rtnetlink"
)

// onesSum is the Internet checksum, RFC 1071.
func onesSum(parts ...[]byte) uint16 {
	var sum uint32
	for _, p := range parts {
		for i := 0; i < len(p); i += 2 {
			if sum += uint32(p[i]) << 8; i+1 < len(p) {
				sum += uint32(p[i+1])
			}
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// ipPacket puts an IP header before what is sent, whose checksum stands at an offset; the hop limit is that of
// neighbour discovery.
func ipPacket(from, to netip.Addr, proto byte, data []byte, checksum int) []byte {
	src, dst, size := from.AsSlice(), to.AsSlice(), len(data)
	sum := onesSum(src, dst, []byte{0, proto, byte(size >> 8), byte(size)}, data)
	binary.BigEndian.PutUint16(data[checksum:], sum)
	if from.Is6() {
		head := []byte{0x60, 0, 0, 0, byte(size >> 8), byte(size), proto, 255}
		return slices.Concat(head, src, dst, data)
	}
	return slices.Concat(ipv4Header(from, to, proto, 0, size), data)
}

func ipv4Header(from, to netip.Addr, proto byte, fragment uint16, size int) []byte {
	head := slices.Concat([]byte{0x45, 0, 0, 0, 0x77, 0x77, 0, 0, 255, proto, 0, 0}, from.AsSlice(), to.AsSlice())
	binary.BigEndian.PutUint16(head[2:], uint16(len(head)+size))
	binary.BigEndian.PutUint16(head[6:], fragment)
	binary.BigEndian.PutUint16(head[10:], onesSum(head))
	return head
}

func udpDatagram(from, to uint16, text string) []byte {
	d := binary.BigEndian.AppendUint16(nil, from)
	d = binary.BigEndian.AppendUint16(d, to)
	d = binary.BigEndian.AppendUint16(d, uint16(8+len(text)))
	return append(append(d, 0, 0), text...)
}

// udpPacket is an IP packet without link header.
func udpPacket(from, to netip.AddrPort, text string) []byte {
	return ipPacket(from.Addr(), to.Addr(), unix.IPPROTO_UDP, udpDatagram(from.Port(), to.Port(), text), 6)
}

// sendRaw sends a packet as whoever has NET_RAW can, past all that the pod's kernel would see to.
func (p testPod) sendRaw(t *testing.T, protocol uint16, packet []byte) {
	t.Helper()
	l := podLink(t, filepath.Dir(p.ns))
	err := namespace.Do(p.ns, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Ifindex: l.Index, Protocol: protocol>>8 | protocol<<8, Halen: 6}
		copy(to.Addr[:], rtnetlink.HostMAC())
		return unix.Sendto(fd, packet, 0, to)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p testPod) sendIP(t *testing.T, packet []byte) {
	t.Helper()
	protocol := uint16(unix.ETH_P_IP)
	if packet[0]>>4 == 6 {
		protocol = unix.ETH_P_IPV6
	}
	p.sendRaw(t, protocol, packet)
}

// udpAt is a UDP socket in a namespace.
func udpAt(t *testing.T, ns string, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	var u *net.UDPConn
	err := inside(ns, func() (err error) {
		u, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// talk is a conversation of two sockets that connection tracking knows.
type talk struct {
	name         string
	from, to     netip.AddrPort
	asks, tells  *net.UDPConn
	fromNS, toNS string
}

func (f *talk) begin(t *testing.T) {
	t.Helper()
	f.asks, f.tells = udpAt(t, f.fromNS, f.from), udpAt(t, f.toNS, f.to)
	f.goesOn(t)
}

// goesOn exchanges a word in both directions.
func (f *talk) goesOn(t *testing.T) {
	t.Helper()
	for _, way := range []struct {
		at, there *net.UDPConn
		to        netip.AddrPort
	}{{f.asks, f.tells, f.to}, {f.tells, f.asks, f.from}} {
		nstest.Eventually(t, "a word to "+way.to.String(), func() bool {
			if _, err := way.at.WriteToUDPAddrPort([]byte("word"), way.to); err != nil {
				t.Log(err)
				return false
			}
			_ = way.there.SetReadDeadline(time.Now().Add(time.Second))
			b := make([]byte, 100)
			size, _, err := way.there.ReadFromUDPAddrPort(b)
			return err == nil && string(b[:size]) == "word"
		})
	}
}

// wordsAt is what has arrived at a socket, for as long as a packet may be under way on a machine with other things to do.
func wordsAt(u *net.UDPConn, wait time.Duration) []string {
	var all []string
	b := make([]byte, 2000)
	_ = u.SetReadDeadline(time.Now().Add(wait))
	for {
		size, _, err := u.ReadFromUDPAddrPort(b)
		if err != nil {
			return all
		}
		all = append(all, string(b[:size]))
	}
}

// reversePath sets the reverse path filter for all interfaces that there are and that come.
func reversePath(t *testing.T, value string) {
	t.Helper()
	files, err := filepath.Glob("/proc/sys/net/ipv4/conf/*/rp_filter")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte(value), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// A pod with NET_RAW sends as another pod, as that pod's server, as the node and as a host of the world into conversations
// that exist, where the rules for first packets are over. None of it arrives, whatever the machine's reverse path filter is.
func TestNobodySendsAsAnother(t *testing.T) {
	for _, filter := range []string{"0", "1", "2"} {
		t.Run("rp_filter="+filter, func(t *testing.T) {
			reversePath(t, filter)
			t.Cleanup(func() { reversePath(t, "0") })
			n, root := newServiceNetwork(t)
			world := newLAN(t, n, root, "lan", 0)
			a, b, c := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"}), newTestPod(t, n, root, Pod{ID: "c"})
			if err := n.SetPolicies(PolicyTable{{ID: "b", Ingress: allow(PolicyRule{Peers: from("a")})}}); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				testSpoofing(t, n, i, world, a, b, c)
			}
		})
	}
}

// A link that waits for its deletion is a pod's still.
func TestLinksMarkedForDeletionAreGuarded(t *testing.T) {
	reversePath(t, "0")
	n, root := newServiceNetwork(t)
	world := newLAN(t, n, root, "lan", 0)
	a, b, c := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"}), newTestPod(t, n, root, Pod{ID: "c"})
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(setGroup(c.HostIf, nft.MarkedForDeletion)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		testSpoofing(t, n, i, world, a, b, c)
	}
}

func testSpoofing(t *testing.T, n *Network, family int, world lan, a, b, c testPod) {
	gateway := []netip.Addr{n.gateway, n.gateway6}[family]
	at := netip.AddrPortFrom
	node, there := world.node[family], world.host[family]
	flows := []*talk{
		{name: "pods", from: at(a.IPs()[family], 4000), to: at(b.IPs()[family], 5000), fromNS: a.ns, toNS: b.ns},
		{name: "the node's DNS", from: at(a.IPs()[family], 4001), to: at(gateway, 5353), fromNS: a.ns},
		{name: "the node and the world", from: at(node, 4002), to: at(there, 7000), toNS: world.ns},
		{name: "a pod and the world", from: at(a.IPs()[family], 4003), to: at(there, 7001), fromNS: a.ns, toNS: world.ns},
	}
	for _, f := range flows {
		if f.name != "a pod and the world" {
			f.begin(t)
		}
	}
	// The last one is seen from outside with the node's address: the answer is all that can be forged.
	f := flows[3]
	f.asks, f.tells = udpAt(t, f.fromNS, f.from), udpAt(t, f.toNS, f.to)
	nstest.Eventually(t, "a word to the world", func() bool {
		_, err := f.asks.WriteToUDPAddrPort([]byte("word"), f.to)
		return err == nil && len(wordsAt(f.tells, 300*time.Millisecond)) > 0
	})
	for _, f := range flows {
		c.sendIP(t, udpPacket(f.from, f.to, "as "+f.name+", asking"))
		c.sendIP(t, udpPacket(f.to, f.from, "as "+f.name+", answering"))
		// From outside as a pod, and as the node towards pods.
		if f.name == "pods" || f.name == "the node's DNS" {
			world.sendIP(t, udpPacket(f.from, f.to, "from outside as "+f.name))
			world.sendIP(t, udpPacket(f.to, f.from, "from outside as "+f.name))
		}
	}
	own := at(c.IPs()[family], 4000)
	c.sendIP(t, udpPacket(own, at(a.IPs()[family], 4000), "as itself"))
	got := wordsAt(flows[0].asks, time.Second)
	if !slices.Equal(got, []string{"as itself"}) {
		t.Errorf("a's conversation with b hears %q, want what c says as itself", got)
	}
	for _, f := range flows {
		for _, u := range []*net.UDPConn{f.asks, f.tells} {
			if got := wordsAt(u, 20*time.Millisecond); len(got) > 0 {
				t.Errorf("%s: %s hears %q", f.name, u.LocalAddr(), got)
			}
		}
	}
	for _, f := range flows[:3] {
		f.goesOn(t)
	}
	for _, f := range flows {
		f.asks.Close()
		f.tells.Close()
	}
}

// A piece of a packet in another's name does not become part of that one's packet.
func TestPiecesInAnothersName(t *testing.T) {
	n, root := newServiceNetwork(t)
	a, b, c := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"}), newTestPod(t, n, root, Pod{ID: "c"})
	const more, size = 0x2000, 24
	whole := udpDatagram(4000, 5000, strings.Repeat("a", 2*size-8))
	piece := func(off uint16, data []byte) []byte {
		flags := off / 8
		if off == 0 {
			flags |= more
		}
		return slices.Concat(ipv4Header(a.IP, b.IP, unix.IPPROTO_UDP, flags, len(data)), data)
	}
	u := udpAt(t, b.ns, netip.AddrPortFrom(b.IP, 5000))
	a.sendIP(t, piece(0, whole[:size]))
	c.sendIP(t, piece(size, []byte(strings.Repeat("c", size))))
	a.sendIP(t, piece(size, whole[size:]))
	if got := wordsAt(u, time.Second); len(got) != 1 || got[0] != strings.Repeat("a", 2*size-8) {
		t.Errorf("b hears %q, want what a has sent", got)
	}
}

// What pods send on their link, below or beside IP, teaches the node nothing: no neighbours, routes or addresses.
func TestPodsTeachTheNodeNothing(t *testing.T) {
	for name, inForce := range map[string]bool{"with the rules": true, "while the rules are flushed": false} {
		t.Run(name, func(t *testing.T) {
			reversePath(t, "0")
			n, root := newServiceNetwork(t)
			c := newTestPod(t, n, root, Pod{ID: "c"})
			if !inForce {
				if err := n.rules.remove(); err != nil {
					t.Fatal(err)
				}
			}
			l := mustLink(t, n.conn, c.HostIf)
			stranger := netip.MustParseAddr("10.88.0.77")
			before := knownOn(t, l.Index)
			c.sendRaw(t, unix.ETH_P_ARP, arpPacket(1, stranger, n.gateway))
			c.sendRaw(t, unix.ETH_P_ARP, arpPacket(2, stranger, n.gateway))
			c.sendRaw(t, unix.ETH_P_ARP, arpPacket(1, stranger, stranger))
			local, all := netip.MustParseAddr("fe80::bad"), netip.MustParseAddr("ff02::1")
			// A router with a prefix to have addresses from, RFC 4861 4.2 and 4.6.2.
			prefix := slices.Concat([]byte{3, 4, 64, 0xc0, 0, 0, 0xe, 0x10, 0, 0, 0xe, 0x10, 0, 0, 0, 0}, netip.MustParseAddr("2001:db8:bad::").AsSlice())
			c.sendIP(t, ipPacket(local, all, unix.IPPROTO_ICMPV6, slices.Concat([]byte{134, 0, 0, 0, 64, 0, 0x23, 0x28, 0, 0, 0, 0, 0, 0, 0, 0}, prefix), 2))
			for _, source := range []netip.Addr{local, netip.MustParseAddr("fd00:88::77")} {
				if !inForce {
					continue // the kernel's own ways, and good until the next packet of the address's owner
				}
				solicitation := slices.Concat([]byte{135, 0, 0, 0, 0, 0, 0, 0}, n.gateway6.AsSlice(), []byte{1, 1, 2, 2, 2, 2, 2, 2})
				c.sendIP(t, ipPacket(source, n.gateway6, unix.IPPROTO_ICMPV6, solicitation, 2))
			}
			// Whatever it has sent before has arrived when this has.
			gate := udpAt(t, "", netip.AddrPortFrom(n.gateway, 9090))
			dhcp := udpAt(t, "", netip.AddrPortFrom(netip.IPv4Unspecified(), 67))
			c.sendIP(t, udpPacket(netip.AddrPortFrom(netip.IPv4Unspecified(), 68), netip.MustParseAddrPort("255.255.255.255:67"), "DHCP"))
			c.sendIP(t, udpPacket(netip.AddrPortFrom(c.IP, 4000), netip.AddrPortFrom(n.gateway, 9090), "last"))
			if got := wordsAt(gate, time.Second); !slices.Equal(got, []string{"last"}) {
				t.Fatalf("the node hears %q", got)
			}
			if got := wordsAt(dhcp, 20*time.Millisecond); inForce && len(got) > 0 {
				t.Errorf("a DHCP server hears %q from nobody's address", got)
			}
			after := knownOn(t, l.Index)
			if !inForce { // who has sent the advertisement, which is not what it says
				after = slices.DeleteFunc(after, func(s string) bool { return strings.HasPrefix(s, "neighbour "+local.String()) })
			}
			if !slices.Equal(after, before) {
				t.Errorf("the node knows %q on the pod's link, and before %q", after, before)
			}
		})
	}
}

func arpPacket(op byte, from, to netip.Addr) []byte {
	return slices.Concat([]byte{0, 1, 8, 0, 6, 4, 0, op, 2, 2, 2, 2, 2, 2}, from.AsSlice(), make([]byte, 6), to.AsSlice())
}

// knownOn are the neighbours, the addresses and the routes that the node has on a link.
func knownOn(t *testing.T, index int) []string {
	t.Helper()
	var all []string
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := netlink.NeighList(index, family)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			if !n.IP.IsMulticast() {
				all = append(all, fmt.Sprint("neighbour ", n.IP, n.HardwareAddr))
			}
		}
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{LinkIndex: index}, netlink.RT_FILTER_OIF)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routes {
			all = append(all, fmt.Sprint("route ", r.Dst, r.Gw))
		}
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if a.LinkIndex == index {
			all = append(all, "address "+a.IPNet.String())
		}
	}
	slices.Sort(all)
	return all
}

// The policies see the address in a packet's header; a source route names others that come after it.
func TestSourceRoutesLeadNowhere(t *testing.T) {
	// The kernel's own defaults, which not every system sets otherwise.
	believe := func(names ...string) func() error {
		return func() (err error) {
			for _, name := range names {
				err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/accept_source_route", []byte("1"), 0))
			}
			return err
		}
	}
	if err := believe("all", "default")(); err != nil {
		t.Fatal(err)
	}
	n, root := newServiceNetwork(t)
	a, b := newTestPod(t, n, root, Pod{ID: "a"}), newTestPod(t, n, root, Pod{ID: "b"})
	if err := n.SetPolicies(PolicyTable{{ID: "b", Ingress: allow()}}); err != nil {
		t.Fatal(err)
	}
	if err := namespace.Do(b.ns, believe("all", podIf)); err != nil {
		t.Fatal(err)
	}
	// To the node, and from there to b: RFC 791, loose source and record route.
	route := slices.Concat([]byte{131, 7, 4}, b.IP.AsSlice(), []byte{0})
	data := udpDatagram(4000, 5000, "round the corner")
	packet := slices.Concat(ipv4Header(a.IP, n.gateway, unix.IPPROTO_UDP, 0, len(data)), route, data)
	packet[0] += byte(len(route) / 4)
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	binary.BigEndian.PutUint16(packet[10:], 0)
	binary.BigEndian.PutUint16(packet[10:], onesSum(packet[:20+len(route)]))
	u := udpAt(t, b.ns, netip.AddrPortFrom(b.IP, 5000))
	a.sendIP(t, packet)
	if got := wordsAt(u, 300*time.Millisecond); len(got) > 0 {
		t.Errorf("b hears %q in spite of its policy", got)
	}
}
