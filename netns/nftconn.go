package netns

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// nftSendBuffer holds a transaction of some 50,000 elements; the kernel takes a message as a whole.
const nftSendBuffer = 16 << 20

// nftConn is one NETLINK_NETFILTER socket, for transactions.
type nftConn struct {
	fd   int
	port uint32 // as it stands in the notifications of what this socket has done
	buf  []byte
}

func dialNft() (*nftConn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("cannot open nftables socket: %w", err)
	}
	c := &nftConn{fd: fd, buf: make([]byte, rtnetlink.AnswerSize)}
	if err := c.prepare(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot prepare nftables socket: %w", err)
	}
	return c, nil
}

func (c *nftConn) prepare() error {
	if err := unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	_ = unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, nftSendBuffer)
	name, err := unix.Getsockname(c.fd)
	if err != nil {
		return err
	}
	if nl, ok := name.(*unix.SockaddrNetlink); ok {
		c.port = nl.Pid
	}
	return nil
}

func (c *nftConn) close() { unix.Close(c.fd) }

// commit carries the transaction out, or nothing of it.
func (c *nftConn) commit(b *batch) error {
	b.edge(unix.NFNL_MSG_BATCH_END)
	if err := unix.Sendto(c.fd, b.buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto nftables", err)
	}
	return c.failures(func(error) bool { return true })
}

// failures reads what the kernel has to say of messages that ask for no acknowledgement, and returns the first failure that
// counts.
func (c *nftConn) failures(counts func(error) bool) error {
	var failed error
	for {
		n, _, err := unix.Recvfrom(c.fd, c.buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return failed
		case err != nil:
			return errors.Join(failed, os.NewSyscallError("recvfrom nftables", err))
		}
		for rest := c.buf[:n]; len(rest) > 0; {
			var m rtnetlink.Message
			if m, rest, err = rtnetlink.NextMessage(rest); err != nil {
				return errors.Join(failed, err)
			}
			if m.Kind == unix.NLMSG_ERROR && failed == nil && counts(m.Err()) {
				failed = m.Err()
			}
		}
	}
}
