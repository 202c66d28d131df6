package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ProtocolForward is what a connection to a port of a pod upgrades to: from then on it carries that connection's bytes,
// and each side closes its direction alone. One request is one connection: the socket is local, and costs nothing.
const ProtocolForward = "podd-portforward/1"

// podForward connects the client with a port of a pod.
func (s *server) podForward(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(r.URL.Query().Get("port"), 10, 16)
	if err != nil || port == 0 {
		return BadRequest("port must be between 1 and 65535, inclusive")
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), ProtocolForward) {
		return BadRequest("a forwarded port needs an upgrade to " + ProtocolForward + ", as podd port-forward asks for; kubectl's own ways, SPDY and its tunnel, are not spoken here")
	}
	conn, err := s.backend.Dial(r.Context(), p.Namespace, p.Name, uint16(port))
	if err != nil {
		return err
	}
	defer conn.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.SetDeadline(time.Time{}); err != nil {
		return nil // the client is gone
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + ProtocolForward + "\r\n\r\n"
	if _, err := client.Write([]byte(answer)); err != nil {
		return nil // the client is gone
	}
	defer context.AfterFunc(r.Context(), func() { _, _ = client.Close(), conn.Close() })()
	Splice(conn, client, buffered.Reader)
	return nil
}

// halfCloser is a connection whose directions end one by one.
type halfCloser interface{ CloseWrite() error }

// Splice copies both ways between a and b until both directions have ended. What of b was read already is in early; nil
// is nothing.
func Splice(a, b net.Conn, early *bufio.Reader) {
	var from io.Reader = b
	if early != nil && early.Buffered() > 0 {
		from = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), b)
	}
	var both sync.WaitGroup
	one := func(to net.Conn, from io.Reader) {
		_, err := io.Copy(to, from)
		if h, ok := to.(halfCloser); ok && err == nil {
			_ = h.CloseWrite()
			return
		}
		_, _ = a.Close(), b.Close() // a direction that broke takes the other along
	}
	both.Go(func() { one(a, from) })
	both.Go(func() { one(b, a) })
	both.Wait()
}
