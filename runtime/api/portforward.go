package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"podd/runtime/api/protocol"
)

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
	if !strings.EqualFold(r.Header.Get("Upgrade"), protocol.Forward) {
		return BadRequest("a forwarded port needs an upgrade to " + protocol.Forward + ", as podd port-forward asks for; kubectl's own ways, SPDY and its tunnel, are not spoken here")
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
	answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + protocol.Forward + "\r\n\r\n"
	if _, err := client.Write([]byte(answer)); err != nil {
		return nil // the client is gone
	}
	defer context.AfterFunc(r.Context(), func() { _, _ = client.Close(), conn.Close() })()
	protocol.Splice(conn, client, buffered.Reader)
	return nil
}
