package harness

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
)

// Request sends a request with a body of a media type to the daemon's socket.
func (b *Board) Request(method, path, media, body string) (code int, answer string) {
	b.T.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", b.Socket)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest(method, "http://podd"+path, strings.NewReader(body))
	b.Must(err)
	req.Header.Set("Content-Type", media)
	resp, err := client.Do(req)
	b.Must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	b.Must(err)
	return resp.StatusCode, string(data)
}
