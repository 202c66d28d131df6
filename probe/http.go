package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// maxBody is how many bytes of an answer are read. Source: kubernetes, pkg/probe/http.
const maxBody = 10 << 10

// maxRedirects is net/http's.
const maxRedirects = 10

// HTTP is a request of an httpGet probe or hook.
type HTTP struct {
	Netns     string // the file of the network namespace to start from; "": that of the process
	URL       *url.URL
	Headers   []Header
	UserAgent string // unless Headers has one
	HTTP2     bool   // in clear text, without asking first
}

// Header is one line of a request's head.
type Header struct{ Name, Value string }

// URLOf puts a URL together from what a manifest says. A path that does not parse is taken as it is, as the kubelet
// does; one without a slash at its beginning gets it.
func URLOf(scheme, host string, port int, path string) *url.URL {
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: path}
	}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	u.Scheme, u.Host = strings.ToLower(scheme), Target{Host: host, Port: port}.String()
	return u
}

// Check asks, follows redirects that stay on the host, and judges the answer as the kubelet does.
func (h HTTP) Check(ctx context.Context) (Result, string) {
	answer, err := h.follow(ctx)
	if err != nil {
		return Failure, err.Error()
	}
	switch {
	case answer.status < 200 || answer.status >= 400:
		// Without the body: an event must not show what only the pod should know (kubernetes issue 99425).
		return Failure, fmt.Sprintf("HTTP probe failed with statuscode: %d", answer.status)
	case answer.status >= 300:
		return Warning, "Probe terminated redirects, Response body: " + answer.body
	}
	return Success, ""
}

// Get asks as a hook does: whatever the answer is, it has been asked.
func (h HTTP) Get(ctx context.Context) error {
	_, err := h.follow(ctx)
	return err
}

type answer struct {
	status   int
	location string
	body     string
}

// follow asks and goes where redirects lead, as long as it is on the same host.
func (h HTTP) follow(ctx context.Context) (answer, error) {
	first := h.URL.Hostname()
	relative := true // the request's own Host header stays as long as redirects are relative
	for n := 0; ; n++ {
		a, err := h.ask(ctx, relative)
		if err != nil {
			return a, fmt.Errorf("Get %q: %w", h.URL.String(), waiting(ctx, err)) // net/http's words
		}
		if !isRedirect(a.status) || a.location == "" {
			return a, nil
		}
		next, err := h.URL.Parse(a.location)
		if err != nil {
			return a, fmt.Errorf("Get %q: failed to parse Location header %q: %w", h.URL.String(), a.location, err) // as above
		}
		if next.Hostname() != first {
			return a, nil
		}
		if n+1 >= maxRedirects {
			return a, fmt.Errorf("Get %q: stopped after %d redirects", next.String(), maxRedirects) // as above
		}
		to, err := url.Parse(a.location)
		relative = relative && err == nil && !to.IsAbs()
		h.URL = next
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// waiting says of a deadline what the kubelet says.
func waiting(ctx context.Context, err error) error {
	var dialing *net.OpError
	if errors.As(err, &dialing) && dialing.Op == "dial" {
		return err
	}
	// An answer that was cut by the deadline may look like a malformed one.
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) || errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
	}
	return err
}

// ask makes one request on a connection of its own.
func (h HTTP) ask(ctx context.Context, ownHost bool) (answer, error) {
	port, err := portOf(h.URL)
	if err != nil {
		return answer{}, err
	}
	c, err := Target{Netns: h.Netns, Host: h.URL.Hostname(), Port: port}.dial(ctx)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = c.Close() }()
	if h.HTTP2 && h.URL.Scheme == "http" {
		return h.askHTTP2(c, ownHost)
	}
	var stream io.ReadWriter = c
	if h.URL.Scheme == "https" {
		stream = tls.Client(c, tlsConfig(h.URL.Hostname()))
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	b.request = h.appendRequest(b.request[:0], ownHost)
	if _, err := stream.Write(b.request); err != nil {
		return answer{}, err
	}
	b.reader.Reset(stream)
	defer b.reader.Reset(nil)
	return readAnswer(&b.reader)
}

// tlsConfig verifies nothing: a pod's certificate is rarely made out to its address.
func tlsConfig(host string) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true} // as the kubelet
	if _, err := netip.ParseAddr(host); err != nil {
		c.ServerName = host
	}
	return c
}

func portOf(u *url.URL) (int, error) {
	switch u.Port() {
	case "":
		if u.Scheme == "https" {
			return 443, nil
		}
		return 80, nil
	default:
		return net.LookupPort("tcp", u.Port())
	}
}

// buffer is what one request needs. A few serve any number of probes.
type buffer struct {
	request []byte
	reader  bufio.Reader
}

var buffers = sync.Pool{New: func() any { return &buffer{reader: *bufio.NewReaderSize(nil, 2<<10)} }}

// readAnswer reads the head and as much of the body as may be shown.
func readAnswer(r *bufio.Reader) (answer, error) {
	const maxInterim = 5 // as net/http
	for range maxInterim {
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			return answer{}, err
		}
		status := response.StatusCode
		if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
			continue
		}
		a := answer{status: status, location: response.Header.Get("Location")}
		var text strings.Builder
		var to io.Writer = io.Discard
		if status >= 300 && status < 400 {
			to = &text // nobody looks at the others
		}
		_, err = io.Copy(to, io.LimitReader(response.Body, maxBody))
		a.body = text.String()
		return a, err
	}
	return answer{}, errors.New("net/http: too many 1xx informational responses")
}
