// Package nft writes tables of nftables: expressions, sets and chains as values, what of them differs from the kernel's, and
// the transaction that makes it so.
package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// nftSendBuffer holds a transaction of some 50,000 elements; the kernel takes a message as a whole.
const nftSendBuffer = 16 << 20

// nftConn is one NETLINK_NETFILTER socket, for transactions.
type Conn struct {
	fd   int
	Port uint32 // as it stands in the notifications of what this socket has done
	buf  []byte
}

func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("cannot open nftables socket: %w", err)
	}
	c := &Conn{fd: fd, buf: make([]byte, rtnetlink.AnswerSize)}
	if err := c.prepare(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot prepare nftables socket: %w", err)
	}
	return c, nil
}

func (c *Conn) prepare() error {
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
		c.Port = nl.Pid
	}
	return nil
}

func (c *Conn) Close() { unix.Close(c.fd) }

// Commit carries the transaction out, or nothing of it.
func (c *Conn) Commit(b *Batch) error {
	b.edge(unix.NFNL_MSG_BATCH_END)
	if err := unix.Sendto(c.fd, b.Buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto nftables", err)
	}
	return c.failures(func(error) bool { return true })
}

// failures reads what the kernel has to say of messages that ask for no acknowledgement, and returns the first failure that
// counts.
func (c *Conn) failures(counts func(error) bool) error {
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

// ask sends one message and returns the payload of the answer.
func (c *Conn) ask(b *Batch) ([]byte, error) {
	if err := unix.Sendto(c.fd, b.Buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("cannot ask nftables: %w", err)
	}
	n, _, err := unix.Recvfrom(c.fd, c.buf, unix.MSG_DONTWAIT)
	if err != nil {
		return nil, fmt.Errorf("cannot hear nftables: %w", err)
	}
	m, _, err := rtnetlink.NextMessage(c.buf[:n])
	if err != nil {
		return nil, err
	}
	if m.Kind == unix.NLMSG_ERROR {
		return nil, m.Err()
	}
	if len(m.Data) < NfgenmsgSize {
		return nil, fmt.Errorf("cannot parse nftables answer of %d bytes", len(m.Data))
	}
	return m.Data[NfgenmsgSize:], nil
}

// Generation is what the kernel counts up with each change of anybody's ruleset.
func (c *Conn) Generation() (uint32, error) {
	b := &Batch{}
	b.open(unix.NFT_MSG_GETGEN, unix.NLM_F_REQUEST)
	b.Close()
	answer, err := c.ask(b)
	if err != nil {
		return 0, err
	}
	var id uint32
	rtnetlink.EachAttr(answer, func(kind uint16, value []byte) {
		if kind == unix.NFTA_GEN_ID && len(value) == 4 {
			id = binary.BigEndian.Uint32(value)
		}
	})
	return id, nil
}

func (c *Conn) HasTable(name string) (bool, error) {
	b := &Batch{}
	b.open(unix.NFT_MSG_GETTABLE, unix.NLM_F_REQUEST)
	b.text(unix.NFTA_TABLE_NAME, name)
	b.Close()
	_, err := c.ask(b)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// Send carries out messages that are no transaction. What is gone already is no failure.
func (c *Conn) Send(b *Batch) error {
	for rest := b.Buf; len(rest) > 0; {
		part := rest[:cutMessages(rest, nftSendBuffer/4)]
		rest = rest[len(part):]
		if err := unix.Sendto(c.fd, part, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return os.NewSyscallError("sendto", err)
		}
		if err := c.failures(func(err error) bool { return !errors.Is(err, unix.ENOENT) }); err != nil {
			return err
		}
	}
	return nil
}

// cutMessages is the length of as many whole messages as fit into limit bytes, at least one.
func cutMessages(b []byte, limit int) int {
	end := 0
	for end < len(b) {
		size := rtnetlink.Align4(int(binary.NativeEndian.Uint32(b[end:])))
		if end > 0 && end+size > limit {
			break
		}
		end += size
	}
	return min(end, len(b))
}
