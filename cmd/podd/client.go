package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	acceptObject = "application/json"
	acceptTable  = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
)

// client speaks to the daemon over its socket.
type client struct {
	socket   string
	warnings io.Writer
	http     http.Client
}

func newClient(socket string, warnings io.Writer) *client {
	return &client{socket: socket, warnings: warnings, http: http.Client{Transport: &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// get asks for a path; the answer's body is the caller's to close.
func (c *client) get(ctx context.Context, path string, q url.Values, accept string) (*http.Response, error) {
	return c.do(ctx, http.MethodGet, path, q, accept, nil)
}

// object asks for a path and decodes the answer into v.
func (c *client) object(ctx context.Context, path string, q url.Values, accept string, v any) error {
	resp, err := c.get(ctx, path, q, accept)
	if err != nil {
		return err
	}
	return decode(resp, v)
}

func decode(resp *http.Response, v any) error {
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	return nil
}

func (c *client) do(ctx context.Context, method, path string, q url.Values, accept string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url(path, q), body)
	if err != nil {
		return nil, fmt.Errorf("cannot ask for %s: %w", path, err)
	}
	req.Header.Set("Accept", accept)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, statusError(resp)
	}
	c.warn(resp.Header.Values("Warning"))
	return resp, nil
}

// warn prints warnings as kubectl does.
func (c *client) warn(headers []string) {
	for _, h := range headers {
		if quoted, ok := strings.CutPrefix(h, "299 - "); ok {
			if text, err := strconv.Unquote(quoted); err == nil {
				fmt.Fprintln(c.warnings, "Warning: "+text)
			}
		}
	}
}

// url has a host only because HTTP wants one.
func (c *client) url(path string, q url.Values) string {
	return (&url.URL{Scheme: "http", Host: "podd", Path: path, RawQuery: q.Encode()}).String()
}

// explain says what to do when nobody answers.
func (c *client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &noDaemonError{c.socket}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot open the socket %s: only its owner may, run this as root", c.socket)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return fmt.Errorf("cannot ask the daemon on %s: %w", c.socket, err)
}

// noDaemonError says that nobody answers on the socket.
type noDaemonError struct{ socket string }

func (e *noDaemonError) Error() string {
	return fmt.Sprintf("no podd answers on %s: start it (systemctl start podd, or podd run), or name its socket with --socket", e.socket)
}

// statusError reads the Status of a refusal.
func statusError(resp *http.Response) error {
	defer resp.Body.Close()
	const most = 1 << 20
	b, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return fmt.Errorf("cannot read the daemon's answer: %w", err)
	}
	var s metav1.Status
	if json.Unmarshal(b, &s) != nil || s.Kind != "Status" {
		return fmt.Errorf("the daemon answered %s: %s", resp.Status, strings.TrimSpace(string(b)))
	}
	return &apierrors.StatusError{ErrStatus: s}
}

// podPath is the path of a pod.
func podPath(namespace, name string) string {
	return "/api/v1/namespaces/" + namespace + "/pods/" + name
}
