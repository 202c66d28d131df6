package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"podd/netns/namespace"
	"podd/runtime/api"
)

// dialTimeout is generous: a pod's localhost answers at once or not at all.
const dialTimeout = 5 * time.Second

// Dial connects to a TCP port on a pod's localhost, of whichever family somebody listens there.
func (b *Backend) Dial(ctx context.Context, namespace, name string, port uint16) (net.Conn, error) {
	path, err := b.Runtime.NetworkNamespace(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := dialIn(ctx, path, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	if errors.Is(err, syscall.ECONNREFUSED) {
		if six, err6 := dialIn(ctx, path, netip.AddrPortFrom(netip.IPv6Loopback(), port)); err6 == nil {
			return six, nil
		}
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, api.AsBadRequest(fmt.Errorf("nobody listens on port %d in pod %s/%s", port, namespace, name))
	}
	return conn, err
}

// dialIn dials from a network namespace: a socket stays in the one that it was made in.
func dialIn(ctx context.Context, path string, to netip.AddrPort) (conn net.Conn, err error) {
	// An address given as text is dialled on this very thread; a name would be looked up on others.
	dial := func() (err error) {
		conn, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, "tcp", to.String())
		return err
	}
	if path == "" {
		err = dial()
	} else {
		err = namespace.Do(path, dial)
	}
	return conn, err
}
