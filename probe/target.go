package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Target is where a network probe goes.
type Target struct {
	Netns string // the file of the network namespace to start from; "": that of the process
	Host  string // an address or a name, which is resolved from the process's namespace
	Port  int
}

// String is host:port, with brackets around an IPv6 address.
func (t Target) String() string {
	return net.JoinHostPort(strings.Trim(t.Host, "[]"), fmt.Sprint(t.Port))
}

// dial connects to the first of the target's addresses that answers.
func (t Target) dial(ctx context.Context) (*conn, error) {
	if t.Port < 1 || t.Port > 65535 {
		return nil, fmt.Errorf("invalid port number: %d", t.Port)
	}
	addrs, err := t.addresses(ctx)
	if err != nil {
		return nil, err
	}
	var c *conn
	for _, a := range addrs {
		if c, err = dial(ctx, t.Netns, netip.AddrPortFrom(a.Unmap(), uint16(t.Port))); err == nil {
			break
		}
	}
	return c, err
}

func (t Target) addresses(ctx context.Context) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(t.Host, "[]")); err == nil {
		return []netip.Addr{a}, nil
	}
	if deadline, ok := ctx.Deadline(); ok && ctx.Done() == nil {
		// The resolver waits for the end of its context, and not at its deadline.
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.Host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	return addrs, nil
}
