// Package rtnetlink asks the kernel for links, addresses, routes and neighbours, several requests in one system call, and reads what
// netlink answers (man 7 netlink, man 7 rtnetlink).
package rtnetlink

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Conn is one NETLINK_ROUTE socket. It stays in the network namespace in which it was opened.
//
// The kernel works on a request while sendto runs, so that several requests can share one system
// call and their answers are there when it returns: nothing here ever waits.
type Conn struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	buf []byte
}

// AnswerSize holds a link with all its attributes; SKIP_STATS is asked for where a link is.
const AnswerSize = 16 << 10

// Dial opens the socket in the network namespace of the calling thread.
func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("cannot open netlink socket: %w", err)
	}
	// Both only make errors speak: a kernel without them (before 4.12) answers in numbers.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return &Conn{fd: fd, buf: make([]byte, AnswerSize)}, nil
}

// Close closes the socket.
func (c *Conn) Close() { unix.Close(c.fd) }

// Do sends all requests in one system call and returns the payload of what each one answered, nil
// for a mere acknowledgement. Each request is carried out even where an earlier one failed; the
// first failure is returned.
func (c *Conn) Do(reqs ...*nl.NetlinkRequest) ([][]byte, error) {
	answers, errs, err := c.Try(reqs...)
	if err != nil {
		return nil, err
	}
	return answers, First(errs)
}

// First is the first failure.
func First(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Try is Do with what became of each request.
func (c *Conn) Try(reqs ...*nl.NetlinkRequest) (answers [][]byte, errs []error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.seq + 1
	var out []byte
	for _, r := range reqs {
		c.seq++
		r.Seq = c.seq
		r.Flags |= unix.NLM_F_ACK
		out = append(out, r.Serialize()...)
		for len(out)%unix.NLMSG_ALIGNTO != 0 {
			out = append(out, 0)
		}
	}
	if err := unix.Sendto(c.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, nil, fmt.Errorf("cannot send to netlink: %w", err)
	}
	return c.collect(first, len(reqs))
}

// collect reads until each of n requests is acknowledged.
func (c *Conn) collect(first uint32, n int) (answers [][]byte, errs []error, err error) {
	answers, errs = make([][]byte, n), make([]error, n)
	for acked := 0; acked < n; {
		size, err := c.receive()
		if err != nil {
			return nil, nil, err
		}
		for b := c.buf[:size]; len(b) >= unix.SizeofNlMsghdr; {
			var m Message
			if m, b, err = NextMessage(b); err != nil {
				return nil, nil, err
			}
			i := m.seq - first
			if i >= uint32(n) {
				continue // left over from a call that failed halfway
			}
			if m.Kind != unix.NLMSG_ERROR {
				answers[i] = append([]byte(nil), m.Data...)
				continue
			}
			acked++
			errs[i] = m.Err()
		}
	}
	return answers, errs, nil
}

func (c *Conn) receive() (int, error) {
	for {
		n, _, flags, _, err := unix.Recvmsg(c.fd, c.buf, nil, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && flags&unix.MSG_TRUNC != 0 {
			err = unix.EMSGSIZE
		}
		if err != nil {
			return 0, fmt.Errorf("cannot receive from netlink: %w", err)
		}
		return n, nil
	}
}
