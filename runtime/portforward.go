package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"

	"podd/netns"
	"podd/runtime/api"
)

// dialTimeout is generous: a pod's localhost answers at once or not at all.
const dialTimeout = 5 * time.Second

// Dial connects to a TCP port on a pod's localhost, of whichever family somebody listens there.
func (b *Backend) Dial(ctx context.Context, namespace, name string, port uint16) (net.Conn, error) {
	path, err := b.networkOf(ctx, namespace, name)
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

// networkOf is the file of a pod's network namespace; "" is the host's.
func (b *Backend) networkOf(ctx context.Context, namespace, name string) (path string, err error) {
	err = api.AsNotFound(fmt.Errorf("%w: pod %s/%s", ErrNotFound, namespace, name))
	callErr := b.call(ctx, func() {
		for uid, p := range b.pods {
			switch {
			case p.Record.Object.Namespace != namespace || p.Record.Object.Name != name:
			case p.Record.Sandbox.Ready == nil:
				err = api.AsBadRequest(fmt.Errorf("pod %s/%s is not running", namespace, name))
			case p.Record.Object.Spec.HostNetwork:
				path, err = "", nil
				return
			default:
				path, err = filepath.Join(b.paths.Namespaces(uid), "net"), nil
				return
			}
		}
	})
	return path, errors.Join(callErr, err)
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
		err = netns.Do(path, dial)
	}
	return conn, err
}
