package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Patience is how long a pull waits, and how often it tries, before it gives up. The zero value is right for a board.
type Patience struct {
	Dial  time.Duration // for a connection; 0: 15 s
	Idle  time.Duration // between two bytes, and before the first; 0: 60 s
	First time.Duration // after the first failure, twice as long after each that follows; 0: 1 s
	Most  time.Duration // the longest of these; 0: 60 s
	Tries int           // of a request that brings nothing; 0: 3
	// Breaks is how often a body may break in a row without one byte between them; 0: 10.
	Breaks int
	// Obey is the longest Retry-After that is waited for; a longer one ends the pull, which begins again then. 0: 2 min.
	Obey time.Duration
}

func (p Patience) filled() Patience {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&p.Dial, 15*time.Second)
	set(&p.Idle, time.Minute)
	set(&p.First, time.Second)
	set(&p.Most, time.Minute)
	set(&p.Obey, 2*time.Minute)
	if p.Tries == 0 {
		p.Tries = 3
	}
	if p.Breaks == 0 {
		p.Breaks = 10
	}
	return p
}

// delay is the wait after a number of failures in a row, from 1.
func (p Patience) delay(failures int) time.Duration {
	return min(p.First<<min(failures-1, 20), p.Most)
}

var (
	errPlain = errors.New("plain HTTP is not allowed")
	errBare  = errors.New("it has no TLS")
	errIdle  = errors.New("no byte came for too long")
	// errProxyAddress: the address of the proxy is none. It is not repeated, as it may have a password.
	errProxyAddress = errors.New("the address of its proxy is none")
)

// proxyError is a proxy that does not lead on.
type proxyError struct {
	proxy  string // host:port
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s answers %d %s", e.proxy, e.status, http.StatusText(e.status))
}

// afterKey is the context's key of a *retryAfter, which remembers what a registry asked for beside a refusal.
type afterKey struct{}

type retryAfter struct {
	mu sync.Mutex
	d  time.Duration
}

func (r *retryAfter) set(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.d = d
}

func (r *retryAfter) get() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.d
}

// wire is the RoundTripper below the library: each request of a pull goes through it. It tries again what may go well the
// next time, obeys Retry-After, ends connections that have fallen silent, and holds the rate.
type wire struct {
	base     http.RoundTripper
	patience Patience
	limit    *limiter
	plain    func(host string) bool // plain HTTP is allowed
	header   http.Header            // of hosts.toml, for the endpoint itself
	host     string                 // the endpoint
	bare     bool                   // it has no TLS, and the library, which shakes hands with TLS first, is told so
	root     string                 // its path, where that is not /v2
	agent    string
	count    func(bytes int) // of bodies
	// first is the first error of a request with TLS: the library also tries plain HTTP with some addresses, and what that
	// brings is no news, unless it is all that there is.
	mu    sync.Mutex
	first error
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !w.plain(req.URL.Host) {
		return nil, errPlain
	}
	if w.bare && req.URL.Scheme == "https" && req.URL.Host == w.host && req.URL.Path == "/v2/" {
		return nil, errBare
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", w.agent)
	if req.URL.Host == w.host {
		for name, values := range w.header {
			req.Header[name] = values
		}
	}
	for try := 1; ; try++ {
		resp, err := w.once(req)
		if err == nil && resp.StatusCode == http.StatusNotFound && w.root != "" && req.URL.Host == w.host && req.URL.Path == "/v2/" {
			// The library asks there who it is to be. With override_path it may be nowhere, and then nothing is asked.
			_ = resp.Body.Close()
			req.URL.Path = w.root + "/"
			if resp, err = w.once(req); err == nil && resp.StatusCode == http.StatusNotFound {
				resp.StatusCode = http.StatusOK
			}
		}
		wait, again := w.again(req, resp, err, try)
		if !again {
			if err != nil && (req.URL.Scheme == "https" || w.bare) {
				w.note(err)
			}
			return resp, err
		}
		if resp != nil {
			_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
			_ = resp.Body.Close()
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

func (w *wire) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first == nil {
		w.first = err
	}
}

func (w *wire) noted() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first
}

// again decides whether a request is made once more, and when.
func (w *wire) again(req *http.Request, resp *http.Response, err error, try int) (wait time.Duration, again bool) {
	if req.Context().Err() != nil {
		return 0, false
	}
	wait = w.patience.delay(try)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			return 0, false
		}
		return wait, try < w.patience.Tries && isTemporary(err) && (req.Body == nil || req.GetBody != nil)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, http.StatusRequestTimeout:
	default:
		return 0, false
	}
	if asked := parseRetryAfter(resp.Header.Get("Retry-After"), time.Now()); asked > 0 {
		if note, ok := req.Context().Value(afterKey{}).(*retryAfter); ok {
			note.set(asked)
		}
		if asked > w.patience.Obey {
			return 0, false
		}
		wait = asked
	}
	return wait, try < w.patience.Tries && (req.Body == nil || req.GetBody != nil)
}

// isTemporary says of an error of the network that the same request may go well in a moment.
func isTemporary(err error) bool {
	var proxy *proxyError
	if errors.As(err, &proxy) {
		return proxy.status >= 500
	}
	return !(&Client{}).isTLS(err) && !errors.Is(err, errPlain) && !errors.Is(err, errProxyAddress)
}

// parseRetryAfter reads seconds or a date (RFC 9110, 10.2.3).
func parseRetryAfter(s string, now time.Time) time.Duration {
	if s == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(s); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(at.Sub(now), 0), 24*time.Hour)
	}
	return 0
}

// once makes a request. Its answer's body ends with errIdle when no byte comes for too long.
func (w *wire) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(w.patience.Idle, func() { cancel(errIdle) })
	resp, err := w.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		if errors.Is(context.Cause(ctx), errIdle) {
			err = errIdle
		}
		cancel(nil)
		return nil, err
	}
	resp.Request = req
	resp.Body = &wireBody{w: w, ctx: ctx, cancel: cancel, timer: timer, body: resp.Body}
	return resp, nil
}

// wireBody is the body of an answer.
type wireBody struct {
	w      *wire
	ctx    context.Context //nolint:containedctx // it is the request's
	cancel context.CancelCauseFunc
	timer  *time.Timer
	body   io.ReadCloser
}

func (b *wireBody) Read(p []byte) (int, error) {
	p, err := b.w.limit.ask(b.ctx, p)
	if err != nil {
		return 0, err
	}
	b.timer.Reset(b.w.patience.Idle)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if n > 0 {
		b.w.limit.took(n)
		if b.w.count != nil {
			b.w.count(n)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.ctx), errIdle) {
		err = errIdle
	}
	return n, err
}

func (b *wireBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// redirectError is a redirect that is not followed.
type redirectError struct{ why string }

func (e *redirectError) Error() string { return e.why }

const maxRedirects = 10

// checkRedirect keeps to TLS once there was some, and does not go in circles.
func checkRedirect(plain func(host string) bool) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return &redirectError{fmt.Sprintf("it sends from one address to the next, more than %d times", maxRedirects)}
		}
		if req.URL.Scheme != "https" && !(req.URL.Scheme == "http" && plain(req.URL.Host)) {
			return &redirectError{fmt.Sprintf("it sends to %s without TLS", clip(req.URL.Host, 100))}
		}
		return nil
	}
}
