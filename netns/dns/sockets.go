package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Port53 is that of DNS. RFC 1035
const Port53 = 53

// Sockets are the two that one address is served on.
type Sockets struct {
	udp *net.UDPConn
	tcp *net.TCPListener
}

// Listen opens the sockets of an address. It need not be there yet: a bridge may get it later.
func Listen(addr netip.AddrPort) (*Sockets, error) {
	l := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = bindFreely(int(fd), addr.Addr()) }), err)
	}}
	udp, err := l.ListenPacket(context.Background(), "udp", addr.String())
	if err != nil {
		return nil, listenError(addr, err)
	}
	tcp, err := l.Listen(context.Background(), "tcp", addr.String())
	if err != nil {
		_ = udp.Close()
		return nil, listenError(addr, err)
	}
	return &Sockets{udp.(*net.UDPConn), tcp.(*net.TCPListener)}, nil
}

func listenError(addr netip.AddrPort, err error) error {
	if errors.Is(err, unix.EADDRINUSE) {
		return fmt.Errorf("%w of %s", ErrTaken, addr.Addr())
	}
	return fmt.Errorf("cannot serve names on %s: %w", addr, err)
}

// bindFreely lets a socket have an address that the machine does not have at the moment.
func bindFreely(fd int, ip netip.Addr) error {
	if ip.Is4() {
		return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
}

// Inherit takes over sockets that an earlier daemon opened for an address, with the questions that wait in
// them. It closes the descriptors that it is given, also when they turn out to be something else.
func Inherit(addr netip.AddrPort, udp, tcp int) (*Sockets, error) {
	u, t := os.NewFile(uintptr(udp), "dns.udp"), os.NewFile(uintptr(tcp), "dns.tcp")
	defer u.Close()
	defer t.Close()
	packet, err := net.FilePacketConn(u)
	if err != nil {
		return nil, fmt.Errorf("cannot take over a socket: %w", err)
	}
	stream, err := net.FileListener(t)
	if err != nil {
		_ = packet.Close()
		return nil, fmt.Errorf("cannot take over a socket: %w", err)
	}
	udpConn, ok := packet.(*net.UDPConn)
	listener, ok2 := stream.(*net.TCPListener)
	if !ok || !ok2 || packet.LocalAddr().String() != addr.String() || stream.Addr().String() != addr.String() {
		_, _ = packet.Close(), stream.Close()
		return nil, fmt.Errorf("%w: not the sockets of %s", os.ErrInvalid, addr)
	}
	return &Sockets{udpConn, listener}, nil
}

// Files calls f with the two descriptors, which stay the server's.
func (k *Sockets) Files(f func(udp, tcp int) error) error {
	u, err := k.udp.SyscallConn()
	if err != nil {
		return err
	}
	t, err := k.tcp.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	return errors.Join(u.Control(func(udp uintptr) {
		inner = errors.Join(t.Control(func(tcp uintptr) { inner = f(int(udp), int(tcp)) }), inner)
	}), inner)
}

// Close ends both.
func (k *Sockets) Close() {
	_ = k.udp.Close()
	_ = k.tcp.Close()
}
