package distribution

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/shares"
)

// CheckAddress demands an address of the machine and a port. Every address must be meant: it is written as 0.0.0.0 or [::].
func CheckAddress(address string) error {
	if at, err := netip.ParseAddrPort(address); err != nil || at.Port() == 0 {
		return fmt.Errorf("must be an address and a port such as 10.0.0.5:5000, or 0.0.0.0:5000 for all networks, not %q", address)
	}
	return nil
}

// What others can make a board keep: connections of all, and of one address.
const (
	maxConnections = 64
	maxOfOne       = 16
)

// Listen waits for others at an address. It may be one that the machine has not got yet.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	c := net.ListenConfig{KeepAlive: 30 * time.Second, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) // for IPv6, too; else the address has to be there
		})
	}}
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &bounded{Listener: l, places: shares.New(maxConnections, maxOfOne)}, nil
}

// Serve answers at a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(quiet{s.Log}, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// quiet makes what net/http says of bad clients a matter of debugging.
type quiet struct{ log *slog.Logger }

func (q quiet) Write(b []byte) (int, error) {
	q.log.Debug("somebody who asks for images", "error", string(b))
	return len(b), nil
}

// bounded keeps no more connections than it can bear. Who has a share already is hung up on, so that one client cannot keep the
// others out.
type bounded struct {
	net.Listener

	places *shares.Shares
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		if b.places.Take(from) {
			return &boundedConn{Conn: conn, done: sync.OnceFunc(func() { b.places.GiveBack(from) })}, nil
		}
		_ = conn.Close()
	}
}

type boundedConn struct {
	net.Conn

	done func()
}

func (c *boundedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
