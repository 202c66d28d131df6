package netns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns/inspect"
	"podd/netns/namespace"
	"podd/netns/rtnetlink"
)

// reach opens a connection from the namespace at nsPath to an address of this one and back.
func reach(t *testing.T, nsPath string, to netip.Addr) {
	t.Helper()
	l, err := net.Listen("tcp4", netip.AddrPortFrom(to, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = namespace.Do(nsPath, func() error { return dialRaw(l.Addr().(*net.TCPAddr).AddrPort()) })
	if err != nil {
		t.Errorf("cannot reach %s from %s: %v", to, nsPath, err)
	}
}

// dialRaw connects on this very thread; net.Dial may go to another one.
func dialRaw(to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		return err
	}
	// man 7 signal: with a time limit a connect that a signal interrupts is not restarted. Called anew it waits on.
	for {
		err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
		if errors.Is(err, unix.EISCONN) {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Two pods, and a world outside that must see the node's address only.
func TestPodsReachEachOtherAndOut(t *testing.T) {
	n := newTestNetwork(t, "10.88.0.0/24")
	root := newSandboxRoot(t)
	var pods [2]Attachment
	for i := range pods {
		dir := filepath.Join(root, fmt.Sprint(i))
		if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
			t.Fatal(err)
		}
		a, err := n.Attach(Pod{ID: fmt.Sprint(i), NetNS: filepath.Join(dir, "net")})
		if err != nil {
			t.Fatal(err)
		}
		pods[i] = a
		t.Cleanup(func() { _ = n.Detach(fmt.Sprint(i)) })
	}
	outside := filepath.Join(root, "outside")
	if err := namespace.EnsureSandbox(outside, namespace.SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	uplink(t, n, outside)

	pod0 := filepath.Join(root, "0", "net")
	if from := connectFrom(t, pod0, filepath.Join(root, "1", "net"), pods[1].IP); from != pods[0].IP {
		t.Errorf("the other pod sees %s, want %s", from, pods[0].IP)
	}
	if from := connectFrom(t, pod0, filepath.Join(outside, "net"), netip.MustParseAddr("192.0.2.2")); from != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("the outside sees %s, want the node's 192.0.2.1", from)
	}
	ips, err := inspect.HostIPs("podd0")
	if err != nil || len(ips) != 1 || ips[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("HostIPs = %v, %v", ips, err)
	}
}

// uplink joins the host side with a namespace that plays the rest of the world.
func uplink(t *testing.T, n *Network, outside string) {
	t.Helper()
	host, err := n.host()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(outside, "net"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := rtnetlink.VethPair{Host: "uplink", Peer: podIf, PeerNS: int(f.Fd()), MAC: podMAC(netip.MustParseAddr("192.0.2.2"))}
	if _, err := host.Do(v.Create()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.DeleteLink("uplink") })
	l, err := host.GetLink("uplink")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(rtnetlink.SetUp(l.Index), setGroup("uplink", 0), rtnetlink.SetAddr(l.Index, netip.MustParsePrefix("192.0.2.1/24"))); err != nil {
		t.Fatal(err)
	}
	err = inNetns(int(f.Fd()), func(c *rtnetlink.Conn) error {
		l, err := c.GetLink(podIf)
		if err != nil {
			return err
		}
		_, err = c.Do(rtnetlink.SetUp(l.Index), rtnetlink.SetAddr(l.Index, netip.MustParsePrefix("192.0.2.2/24")), rtnetlink.SetDefaultRoute(l.Index, netip.MustParseAddr("192.0.2.1")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// connectFrom opens a connection between two namespaces and returns whom the listener sees.
func connectFrom(t *testing.T, from, to string, addr netip.Addr) netip.Addr {
	t.Helper()
	var l net.Listener
	err := namespace.Do(to, func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	if err := namespace.Do(from, func() error { return dialRaw(l.Addr().(*net.TCPAddr).AddrPort()) }); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.Copy(io.Discard, c)
	return c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
}
