package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Client reads images from registries. Its fields do not change once it is used; the functions in them may answer
// differently each time.
type Client struct {
	Hosts Hosts
	// Node has the credentials of the machine's owner, which every image may be pulled with; nil: there are none.
	Node  Keyring
	Agent string // the User-Agent; "": podd
	// Rate is how many bytes a second all pulls together may take; nil, 0: as many as come.
	Rate     func() int64
	Patience Patience
	// Proxy says which proxy leads to an address; nil: none does.
	Proxy func(*url.URL) (*url.URL, error)
	// Floor is the newest time that the machine has ever known; nil: none. Unsynchronized says that nobody has set the clock
	// since the machine started, as far as the kernel knows; nil: somebody has.
	Floor          func() time.Time
	Unsynchronized func() bool
	// Spool is the folder where slow layers are kept while they come; "": nowhere.
	Spool string
	// SlowAfter is how long a layer may take before it is spooled; 0: a minute.
	SlowAfter time.Duration
	Log       *slog.Logger

	limit   limiter
	limited sync.Once        // the limiter knows the rate
	held    atomic.Int64     // bytes of layers in memory that are not judged yet, see spooled
	wall    func() time.Time // of tests; nil: time.Now
}

// Image is an image in a registry whose manifest, or index, is known.
type Image struct {
	Reference Reference
	Host      string // where it comes from
	MediaType string // of the document
	Digest    string // of the document
	Manifest  []byte
	// Used is the credential that the registry has accepted; empty: it did not ask for one.
	Used Credential
	// Public: the registry gives it without asking who wants it, by whatever means.
	Public bool

	s *session
}

// session is a repository at one endpoint, spoken to as one credential.
type session struct {
	c      *Client
	e      *endpoint
	http   *http.Client
	used   Credential
	asked  atomic.Bool // the registry has asked who we are
	pooled *http.Transport

	patience Patience
	peer     bool // its patience is all that it gets
}

// Close lets go of the connections.
func (i *Image) Close() { i.s.pooled.CloseIdleConnections() }

// Open finds an image: at the mirrors and hosts that the configuration names, with the credentials that fit, the first that
// gives it. keys are tried before those of the node. quick: it is not waited for one that does not answer.
func (c *Client) Open(ctx context.Context, ref Reference, keys Keyring, quick bool) (*Image, error) {
	patience := c.Patience.filled()
	if quick {
		patience.Tries, patience.Dial, patience.Obey = 1, min(patience.Dial, 5*time.Second), 0
	}
	endpoints, err := c.Hosts.endpoints(ref)
	if err != nil {
		return nil, err
	}
	var last error
	for _, e := range endpoints {
		img, err := c.openAt(ctx, e, ref, keys, patience)
		if err == nil {
			return img, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if len(endpoints) > 1 && c.Log != nil {
			c.Log.Debug("one of several registries does not give an image", "image", ref.String(), "host", e.name(), "error", err)
		}
		// What the image's own registry says, which comes last, tells more than a mirror.
		last = err
	}
	if last == nil {
		last = &Error{Hop: HopName, Host: ref.Domain, Text: "no host is configured that gives this image", Remedy: "look at registries.conf and hosts.toml"}
	}
	return nil, last
}

// openAt tries the credentials one after the other, as the kubelet does; without any it is nobody.
func (c *Client) openAt(ctx context.Context, e *endpoint, ref Reference, keys Keyring, patience Patience) (*Image, error) {
	creds := Keyrings{keys, c.Node}.Lookup(ctx, e.location())
	if len(creds) == 0 {
		creds = []Credential{{}}
	}
	var first error
	for _, cred := range creds {
		s, err := c.connect(ctx, e, cred, patience)
		if err == nil {
			var img *Image
			if img, err = s.resolve(ctx, ref); err == nil {
				return img, nil
			}
			s.pooled.CloseIdleConnections()
		}
		if first == nil {
			first = err
		}
		if !errors.Is(err, ErrUnauthorized) && !errors.Is(err, ErrNotFound) {
			break // another name does not help
		}
	}
	return nil, first
}

// connect shakes hands with an endpoint.
func (c *Client) connect(ctx context.Context, e *endpoint, cred Credential, patience Patience) (*session, error) {
	plain := func(host string) bool { return e.insecure && host == e.base.Host || isLoopback(host) }
	pool := c.transport(e, patience)
	c.limited.Do(func() { c.limit.rate = c.Rate })
	w := &wire{
		base: pool, patience: patience, limit: &c.limit, plain: plain, header: e.header, host: e.base.Host, agent: c.agent(), bare: e.bare,
	}
	if e.base.Path != "/v2" {
		w.root = e.base.Path
	}
	options := []name.Option{name.WeakValidation}
	if plain(e.base.Host) {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(e.base.Host, options...)
	if err != nil {
		return nil, &Error{Hop: HopName, Host: e.base.Host, Text: "it is no name of a registry", err: err}
	}
	s := &session{c: c, e: e, used: cred, pooled: pool, patience: patience}
	note := &retryAfter{}
	ctx = context.WithValue(ctx, afterKey{}, note)
	scope := reg.Repo(e.repo).Scope(transport.PullScope)
	rt, err := transport.NewWithContext(ctx, reg, authenticator{cred, s}, w, []string{scope})
	if err != nil {
		pool.CloseIdleConnections()
		// Who speaks TLS and refuses this machine says no more when he is then asked without TLS.
		if noted := w.noted(); noted != nil && (!plain(e.base.Host) || e.bare || refusesCertificate(noted)) {
			err = noted
		}
		return nil, c.explain(HopConnect, e.base.Host, err)
	}
	s.http = &http.Client{Transport: rt, CheckRedirect: checkRedirect(plain)}
	return s, nil
}

// authenticator gives the library a credential, and notes that it was asked for.
type authenticator struct {
	c Credential
	s *session
}

func (a authenticator) Authorization() (*authn.AuthConfig, error) {
	a.s.asked.Store(true)
	return &authn.AuthConfig{
		Username: a.c.Username, Password: a.c.Password, IdentityToken: a.c.IdentityToken, RegistryToken: a.c.RegistryToken,
	}, nil
}

func (c *Client) agent() string {
	if c.Agent != "" {
		return c.Agent
	}
	return "podd"
}

// transport makes the connections of a session. There are no more than it takes for the layers that come at once.
func (c *Client) transport(e *endpoint, p Patience) *http.Transport {
	dial := p.Dial
	if e.dial > 0 {
		dial = e.dial
	}
	// Of a host with addresses of both kinds the dialer tries the second after 300 ms, whatever becomes of the first.
	dialer := &net.Dialer{Timeout: dial, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dial, ResponseHeaderTimeout: p.Idle,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		DisableCompression: true, ReadBufferSize: 32 << 10,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: e.roots, Certificates: e.certificates, Time: c.now,
			InsecureSkipVerify: e.insecure, //nolint:gosec // the machine's owner has said so
		},
	}
	if c.Proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			proxy, err := c.Proxy(r.URL)
			if err != nil {
				return nil, errProxyAddress // the text of err has the address, and its password
			}
			return proxy, nil
		}
		t.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &proxyError{proxy.Host, resp.StatusCode}
			}
			return nil
		}
	}
	return t
}

// now is the time for certificates: never before the newest that the machine has known.
func (c *Client) now() time.Time {
	now := time.Now()
	if c.wall != nil {
		now = c.wall()
	}
	if c.Floor != nil {
		if floor := c.Floor(); floor.After(now) {
			return floor
		}
	}
	return now
}

// clockIsWrong says of a certificate that is not valid now that it may well be once the clock is set.
func (c *Client) clockIsWrong(cert *x509.Certificate) bool {
	if cert == nil || !c.now().Before(cert.NotBefore) {
		return false // it has expired: time does not run backwards
	}
	wall := time.Now()
	if c.wall != nil {
		wall = c.wall()
	}
	return c.now().After(wall) || c.Unsynchronized != nil && c.Unsynchronized()
}

// certsHint is the folder where an authority of a host belongs.
func (c *Client) certsHint(host string) string {
	if len(c.Hosts.Certs) == 0 {
		return "the folder of certificates"
	}
	return filepath.Join(c.Hosts.Certs[0], host)
}

var errNoDocument = errors.New("no document")

func refuse(hop Hop, host, format string, args ...any) error {
	e := &Error{Hop: hop, Host: host, Text: fmt.Sprintf(format, args...), err: errNoDocument}
	if hop == HopDigest {
		e.Remedy = "nothing of it was kept: something on the way may change what comes, so try another way, or ask whoever runs the registry"
	}
	return e
}
