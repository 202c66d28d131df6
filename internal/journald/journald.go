// Package journald speaks the journal's native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL
package journald

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Socket takes entries, one a datagram.
const Socket = "/run/systemd/journal/socket"

// AppendField appends a field of an entry: KEY=value, or, for a value of several lines, KEY, a line feed, the length as 64 bits
// of little endian, and the value.
func AppendField[T string | []byte](b []byte, key string, value T) []byte {
	b = append(b, key...)
	if strings.Contains(string(value), "\n") {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	b = append(b, value...)
	return append(b, '\n')
}

const (
	firstRetry = 50 * time.Millisecond
	mostTries  = 8 // in a quarter of a minute
)

// Conn sends entries one after another. It opens its socket when the first is sent, and again when journald.socket is another
// one. Any goroutine may use it.
type Conn struct {
	Path string // of the socket

	mu   sync.Mutex
	conn *net.UnixConn
}

// Send gives journald an entry. One that is busy or is being restarted is waited for: the kernel has a queue for it, and tells
// when there is room. The error is that of ctx, or that nobody listens.
func (c *Conn) Send(ctx context.Context, entry []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for try := 0; ; try++ {
		err := c.send(ctx, entry)
		if err == nil {
			return nil // also when ctx has ended meanwhile: the entry is in the journal
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if errors.Is(err, syscall.EMSGSIZE) || try == mostTries {
			return fmt.Errorf("journald takes no entries: %w", err)
		}
		c.close()
		timer := time.NewTimer(firstRetry << try)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// send connects once: the kernel tells a sender that waits of room in the queue of its peer, not of any.
func (c *Conn) send(ctx context.Context, entry []byte) error {
	if c.conn == nil {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: c.Path, Net: "unixgram"})
		if err != nil {
			return err
		}
		c.conn = conn
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := conn.Write(entry)
	if !stop() {
		c.close() // its deadline is, or will be, over
	}
	return err
}

func (c *Conn) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
