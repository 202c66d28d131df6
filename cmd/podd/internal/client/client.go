// Package client speaks to the daemon over its socket: requests, exec and connections to ports of pods. It knows the types of
// Kubernetes and the words of the protocol, and nothing of the daemon.
package client

import (
	"bytes"
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

// The forms of answers, as the header Accept has them: objects as they are, or a table of them.
const (
	AcceptObject = "application/json"
	AcceptTable  = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
)

// Client speaks to the daemon over its socket.
type Client struct {
	socket   string
	warnings io.Writer
	http     http.Client
}

// New makes a client of the daemon that has this socket. What the daemon warns of goes to warnings.
//
//go:noinline
func New(socket string, warnings io.Writer) *Client {
	c := &Client{socket: socket, warnings: warnings}
	c.http.Transport = &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: c.dial}
	return c
}

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", c.socket)
}

// Get asks for a path; the answer's body is the caller's to close.
func (c *Client) Get(ctx context.Context, path string, q url.Values, accept string) (*http.Response, error) {
	return c.Do(ctx, http.MethodGet, path, q, accept, nil)
}

// Object asks for a path and decodes the answer into v.
func (c *Client) Object(ctx context.Context, path string, q url.Values, accept string, v any) error {
	resp, err := c.Get(ctx, path, q, accept)
	if err != nil {
		return err
	}
	return Decode(resp, v)
}

// Decode reads the answer into v and closes it.
func Decode(resp *http.Response, v any) error {
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	return nil
}

// Do sends a request; the answer's body is the caller's to close. The error of a daemon that refuses is a Kubernetes Status, that of
// none a NoDaemonError.
func (c *Client) Do(ctx context.Context, method, path string, q url.Values, accept string, body io.Reader) (*http.Response, error) {
	return c.send(ctx, method, path, q, accept, "", body)
}

// DoAs sends a request whose body is of a media type, as Do does.
func (c *Client) DoAs(ctx context.Context, method, path, media string, body io.Reader) (*http.Response, error) {
	return c.send(ctx, method, path, nil, AcceptObject, media, body)
}

// Send sends a request with a query and a body of a media type, as Do does.
func (c *Client) Send(ctx context.Context, method, path string, q url.Values, media string, body io.Reader) (*http.Response, error) {
	return c.send(ctx, method, path, q, AcceptObject, media, body)
}

// Patch merges a body into the object that has the path.
func (c *Client) Patch(ctx context.Context, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := c.DoAs(ctx, http.MethodPatch, path, "application/merge-patch+json", bytes.NewReader(data))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (c *Client) send(ctx context.Context, method, path string, q url.Values, accept, media string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url(path, q), body)
	if err != nil {
		return nil, fmt.Errorf("cannot ask for %s: %w", path, err)
	}
	req.Header.Set("Accept", accept)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
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
func (c *Client) warn(headers []string) {
	for _, h := range headers {
		if quoted, ok := strings.CutPrefix(h, "299 - "); ok {
			if text, err := strconv.Unquote(quoted); err == nil {
				fmt.Fprintln(c.warnings, "Warning: "+text)
			}
		}
	}
}

// url has a host only because HTTP wants one.
func (c *Client) url(path string, q url.Values) string {
	return (&url.URL{Scheme: "http", Host: "podd", Path: path, RawQuery: q.Encode()}).String()
}

// explain says what to do when nobody answers.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &NoDaemonError{c.socket}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot open the socket %s: only its owner may, run this as root; or set socketGroup or socketReadGroup in /etc/podd/config.yaml", c.socket)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return fmt.Errorf("cannot ask the daemon on %s: %w", c.socket, err)
}

// NoDaemonError says that nobody answers on the socket.
type NoDaemonError struct{ socket string }

func (e *NoDaemonError) Error() string {
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

// PodPath is the path of a pod.
func PodPath(namespace, name string) string {
	return "/api/v1/namespaces/" + namespace + "/pods/" + name
}
