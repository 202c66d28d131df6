package client

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"podd/runtime/api/protocol"
)

// Forward carries one connection to a port of the pod of a path.
func (c *Client) Forward(ctx context.Context, conn net.Conn, pod string, port int) error {
	daemon, err := new(net.Dialer).DialContext(ctx, "unix", c.socket)
	if err != nil {
		return c.explain(err)
	}
	defer daemon.Close()
	defer context.AfterFunc(ctx, func() { _, _ = daemon.Close(), conn.Close() })()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(pod+"/portforward", url.Values{"port": {strconv.Itoa(port)}}), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", protocol.Forward)
	if err := request.Write(daemon); err != nil {
		return c.explain(err)
	}
	early := bufio.NewReader(daemon)
	response, err := http.ReadResponse(early, request)
	if err != nil {
		return c.explain(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return statusError(response)
	}
	protocol.Splice(conn, daemon, early)
	return nil
}
