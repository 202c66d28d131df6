package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns/namespace"
	"podd/netns/nstest"
)

// testPod is a pod of a test's with a server that says its name and whom it sees.
type testPod struct {
	Attachment
	id, ns string
}

// newTestPod attaches a pod; it goes with the test.
func newTestPod(t testing.TB, n *Network, root string, p Pod) testPod {
	t.Helper()
	dir := filepath.Join(root, p.ID)
	if err := namespace.EnsureSandbox(dir, allNamespaces); err != nil {
		t.Fatal(err)
	}
	p.NetNS = filepath.Join(dir, "net")
	a, err := n.Attach(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Detach(p.ID); err != nil {
			t.Error(err)
		}
	})
	// The kernel starts a link's queues a moment after the link is up; until then packets are lost.
	nstest.Eventually(t, "an answer from "+p.ID, func() bool {
		_, _, err := ask("", TCP, netip.AddrPortFrom(a.IP, 9).String())
		return errors.Is(err, unix.ECONNREFUSED)
	})
	return testPod{Attachment: a, id: p.ID, ns: p.NetNS}
}

// serve answers TCP connections and UDP packets on the port with "name peer".
func (p testPod) serve(t testing.TB, port uint16) {
	t.Helper()
	serveIn(t, p.ns, p.id, port)
}

func serveIn(t testing.TB, ns, name string, port uint16) {
	t.Helper()
	var l net.Listener
	var u *net.UDPConn
	err := inside(ns, func() (err error) {
		if l, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); err != nil {
			return err
		}
		u, err = net.ListenUDP("udp", &net.UDPAddr{Port: int(port)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); u.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				peer, _ := netip.ParseAddrPort(c.RemoteAddr().String())
				fmt.Fprintf(c, "%s %s\n", name, peer.Addr().Unmap())
				b := make([]byte, 4096)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if _, err := c.Write(b[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	go func() {
		b := make([]byte, 100)
		for {
			_, peer, err := u.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = u.WriteToUDPAddrPort(fmt.Appendf(nil, "%s %s\n", name, peer.Addr().Unmap()), peer)
		}
	}()
}

// inside runs fn in a namespace; "" is the test's own.
func inside(ns string, fn func() error) error {
	if ns == "" {
		return fn()
	}
	return namespace.Do(ns, fn)
}

// open makes a connected socket whose reads and connects give up after a while.
func open(ns string, proto Protocol, to netip.AddrPort) (fd int, err error) {
	kind := unix.SOCK_STREAM
	if proto == UDP {
		kind = unix.SOCK_DGRAM
	}
	err = inside(ns, func() error {
		domain := unix.AF_INET
		var addr unix.Sockaddr = &unix.SockaddrInet4{Port: int(to.Port())}
		if to.Addr().Is6() {
			domain, addr = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
		} else {
			addr.(*unix.SockaddrInet4).Addr = to.Addr().As4()
		}
		if fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		wait := &unix.Timeval{Usec: 700_000}
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, wait)
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, wait)
		// A time limit on the socket makes signals of Go's scheduler visible here; see man 7 signal.
		if err := uninterrupted(func() error { return unix.Connect(fd, addr) }); err != nil {
			unix.Close(fd)
			return err
		}
		return nil
	})
	return fd, err
}

func uninterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// ask returns who answers at an address, and whom that one sees.
func ask(ns string, proto Protocol, to string) (name, seen string, err error) {
	fd, err := open(ns, proto, netip.MustParseAddrPort(to))
	if err != nil {
		return "", "", err
	}
	defer unix.Close(fd)
	return hear(fd, proto)
}

func hear(fd int, proto Protocol) (name, seen string, err error) {
	if proto == UDP {
		if _, err := unix.Write(fd, []byte("?")); err != nil {
			return "", "", err
		}
	}
	b := make([]byte, 100)
	var n int
	err = uninterrupted(func() (err error) {
		n, err = unix.Read(fd, b)
		return err
	})
	if err != nil {
		return "", "", err
	}
	_, err = fmt.Sscan(string(b[:n]), &name, &seen)
	return name, seen, err
}

// wantAnswer retries for a moment: a link that has just come up may lose a packet.
func wantAnswer(t testing.TB, ns string, proto Protocol, to, name string) (seen string) {
	t.Helper()
	var got string
	var err error
	for deadline := time.Now().Add(5 * time.Second); ; {
		if got, seen, err = ask(ns, proto, to); err == nil && got == name {
			return seen
		}
		if time.Now().After(deadline) {
			t.Errorf("%s at %s from %s: %q, %v; want %q", proto, to, ns, got, err, name)
			return ""
		}
	}
}

func wantRefused(t testing.TB, ns string, proto Protocol, to string) {
	t.Helper()
	name, _, err := ask(ns, proto, to)
	if ns == "" && proto == UDP && errors.Is(err, unix.EPERM) {
		return // what the kernel says to a sender whose packet is rejected on its way out
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("%s at %s from %s: %q, %v; want it refused", proto, to, ns, name, err)
	}
}

func wantSilence(t testing.TB, ns string, proto Protocol, to string) {
	t.Helper()
	if name, _, err := ask(ns, proto, to); !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINPROGRESS) {
		t.Errorf("%s at %s from %s: %q, %v; want silence", proto, to, ns, name, err)
	}
}
