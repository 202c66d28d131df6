package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a TCP connection on a descriptor of our own making. Go's poller waits for it.
type conn struct {
	*os.File
	remote netip.AddrPort
	undo   func() bool
}

// dial connects to an address from inside a network namespace, until the deadline or the end of ctx. Its errors read
// as those of net.Dial.
func dial(ctx context.Context, netns string, to netip.AddrPort) (*conn, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := newSocket(netns, family)
	if err != nil {
		return nil, dialError(to, err)
	}
	err = connect(fd, to)
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return nil, dialError(to, os.NewSyscallError("connect", err))
	}
	c := &conn{File: os.NewFile(uintptr(fd), "tcp"), remote: to}
	c.endWith(ctx)
	if err := c.connected(); err != nil {
		_ = c.Close()
		return nil, dialError(to, err)
	}
	return c, nil
}

func dialError(to netip.AddrPort, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = os.ErrDeadlineExceeded // without what was waited for
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
}

func connect(fd int, to netip.AddrPort) error {
	if to.Addr().Is6() {
		return unix.Connect(fd, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	}
	return unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
}

// endWith ends every wait at the deadline and with the context.
func (c *conn) endWith(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	if ctx.Done() != nil {
		c.undo = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	}
}

// connected waits until the connection stands or has failed. man 2 connect, EINPROGRESS
func (c *conn) connected() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			failed = os.NewSyscallError("getsockopt", err)
			return true
		case code != 0:
			failed = os.NewSyscallError("connect", unix.Errno(code))
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	return errors.Join(err, failed)
}

// Close ends the connection.
func (c *conn) Close() error {
	if c.undo != nil {
		c.undo()
	}
	return c.File.Close()
}

// Read and Write give the errors of the system without the name of the descriptor.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	return n, plain("read", c.remote, err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.File.Write(p)
	return n, plain("write", c.remote, err)
}

func plain(op string, to netip.AddrPort, err error) error {
	var at *os.PathError
	if !errors.As(err, &at) {
		return err
	}
	err = at.Err
	var code unix.Errno
	if errors.As(err, &code) {
		err = os.NewSyscallError(op, code)
	}
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
}

// LocalAddr and RemoteAddr make a net.Conn of it, which TLS asks for.
func (c *conn) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }
