package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Hop is the step of a pull that failed.
type Hop string

// The hops, in the order in which a pull makes them.
const (
	HopName     Hop = "name"     // no address is known for the host
	HopConnect  Hop = "connect"  // nobody answers there, or not in time
	HopTLS      Hop = "TLS"      // whoever answers is not who it should be
	HopAuth     Hop = "auth"     // it does not give the image to us
	HopManifest Hop = "manifest" // it does not have the image, or describes it wrongly
	HopBlob     Hop = "blob"     // a layer or the configuration does not come
	HopDigest   Hop = "digest"   // what came is not what was promised
)

// Sentinels, to be found in an Error by errors.Is.
var (
	// ErrUnavailable: the registry cannot be reached or is in trouble; nothing is wrong with the name.
	ErrUnavailable = errors.New("registry is unavailable")
	// ErrUnauthorized: the registry wants other credentials.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrNotFound: the registry does not have it.
	ErrNotFound = errors.New("not found")
	// ErrClock: the certificate would be good at another time, and the machine's clock was not set.
	ErrClock = errors.New("the clock is not set")
	// ErrBlocked: the configuration of registries forbids the image.
	ErrBlocked = errors.New("blocked")
)

// Error is why a registry did not give something: one sentence with the hop, the host and what can be done.
type Error struct {
	Hop    Hop
	Host   string
	Text   string        // what happened
	Remedy string        // "" when there is none
	Kind   error         // a sentinel, or nil
	After  time.Duration // as the registry asked: not before; 0: it did not
	err    error
}

// Error is one sentence without credentials and signed addresses.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s at %s: %s", e.Hop, e.Host, e.Text)
	if e.Remedy != "" {
		s += ": " + e.Remedy
	}
	return s
}

// Unwrap gives the sentinel and the cause.
func (e *Error) Unwrap() []error {
	var list []error
	for _, err := range []error{e.Kind, e.err} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}

// explain makes an Error of what the library, the HTTP client or the network said while hop was made.
func (c *Client) explain(hop Hop, host string, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Hop: hop, Host: host, err: err}
	var dns *net.DNSError
	var status *transport.Error
	var refused *redirectError
	var proxy *proxyError
	switch {
	case errors.As(err, &status) && status.StatusCode == http.StatusProxyAuthRequired:
		e.Hop, e.Kind, e.Text, e.Remedy = HopConnect, ErrUnavailable, "its proxy answers 407 Proxy Authentication Required", proxyRemedy
	case errors.As(err, &status):
		e.explainStatus(status)
	case errors.As(err, &refused):
		e.Text = refused.Error()
		e.Remedy = "ask whoever runs the registry"
	case errors.As(err, &dns):
		e.Hop, e.Kind = HopName, ErrUnavailable
		e.Text = fmt.Sprintf("the name %s has no address (%s)", dns.Name, dns.Err)
		e.Remedy = "check the name and the name servers in /etc/resolv.conf"
	case errors.Is(err, errProxyAddress):
		e.Hop, e.Kind, e.Text = HopConnect, ErrUnavailable, errProxyAddress.Error()
		e.Remedy = "it must be http://[USER:PASSWORD@]HOST:PORT in httpProxy and httpsProxy, or in the environment"
	case errors.As(err, &proxy):
		e.Hop, e.Kind, e.Text, e.Remedy = HopConnect, ErrUnavailable, proxy.Error(), "check httpsProxy, or the registry's name in noProxy"
		if proxy.status == http.StatusProxyAuthRequired {
			e.Remedy = proxyRemedy
		}
	case c.isTLS(err):
		c.explainTLS(e, err)
	case errors.Is(err, errPlain):
		e.Hop, e.Text = HopTLS, "it is spoken to with TLS only"
		e.Remedy = "set insecure = true for it in registries.conf if it has no certificate"
	default:
		e.Hop, e.Kind = networkHop(hop, err), ErrUnavailable
		e.Text = plainText(err)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			e.err = nil // whoever reads a layer would take it for the end of that
		}
		e.Remedy = "check the network and, if there is one, the proxy"
	}
	return e
}

const proxyRemedy = "give the proxy's user and password in its address, http://USER:PASSWORD@HOST:PORT"

// networkHop tells a connection that does not come about from one that breaks.
func networkHop(hop Hop, err error) Hop {
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return HopConnect
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) {
		return HopConnect
	}
	return hop
}

// plainText is the innermost sentence: url.Error and its like repeat whole addresses, which may be signed.
func plainText(err error) string {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	var net net.Error
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended in the middle of it"
	case errors.Is(err, errIdle), errors.Is(err, context.DeadlineExceeded), errors.As(err, &net) && net.Timeout():
		return "it does not answer in time"
	}
	return err.Error()
}

// refusesCertificate says that a registry wants a certificate from its clients, and did not like this machine's or got none
// (RFC 8446, 6.2). Package crypto/tls gives these alerts no type of their own.
func refusesCertificate(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && strings.Contains(op.Err.Error(), "certificate")
}

func (c *Client) isTLS(err error) bool {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &alert) || errors.As(err, &invalid) ||
		errors.As(err, &host) || errors.As(err, &unknown) || refusesCertificate(err) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

func (c *Client) explainTLS(e *Error, err error) {
	e.Hop = HopTLS
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && c.clockIsWrong(invalid.Cert):
		e.Kind = ErrClock
		e.Text = fmt.Sprintf("the certificate is valid from %s and this machine says that it is %s",
			invalid.Cert.NotBefore.UTC().Format(time.DateOnly), c.now().UTC().Format(time.DateOnly))
		e.Remedy = "the pull goes on when the clock is set"
	case errors.As(err, &unknown):
		e.Text = "its certificate is signed by an authority that this machine does not know"
		e.Remedy = fmt.Sprintf("put the authority's certificate into %s, as ca.crt", c.certsHint(e.Host))
	case errors.As(err, &host):
		e.Text = host.Error()
		e.Remedy = "use the name that the certificate is for"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Text = "it does not speak TLS"
		e.Remedy = "set insecure = true for it in registries.conf if it has no certificate"
	case refusesCertificate(err):
		e.Text = "it wants to see a certificate of this machine (" + plainText(err) + ")"
		e.Remedy = fmt.Sprintf("put one that it knows, and its key, into %s, as client.cert and client.key", c.certsHint(e.Host))
	default:
		e.Text = plainText(err)
		e.Remedy = "check the certificate of the registry and the clock of this machine"
	}
}

// explainStatus says what an HTTP status means here.
func (e *Error) explainStatus(s *transport.Error) {
	code := s.StatusCode
	said := serverMessage(s)
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Hop, e.Kind = HopAuth, ErrUnauthorized
		e.Text = fmt.Sprintf("it answers %d %s%s", code, http.StatusText(code), said)
		e.Remedy = "check the name, and the credentials in imagePullSecrets or in the node's configuration"
	case code == http.StatusNotFound || code == http.StatusGone:
		e.Kind = ErrNotFound
		e.Text = fmt.Sprintf("it does not have it (%d %s%s)", code, http.StatusText(code), said)
		e.Remedy = "check the name and the tag"
		if e.Hop == HopBlob { // the name has led to a manifest
			e.Text = fmt.Sprintf("it does not have a part of the image (%d %s%s)", code, http.StatusText(code), said)
			e.Remedy = "push the image again"
		}
	case code == http.StatusTooManyRequests:
		e.Kind = ErrUnavailable
		e.Text = "it allows no more pulls for now (429 Too Many Requests" + said + ")"
		e.Remedy = "wait, or give credentials with a higher limit"
	case code >= 500 || code == http.StatusRequestTimeout:
		e.Kind = ErrUnavailable
		e.Text = fmt.Sprintf("it is in trouble (%d %s%s)", code, http.StatusText(code), said)
		e.Remedy = "it is tried again"
	default:
		e.Text = fmt.Sprintf("it answers %d %s%s", code, http.StatusText(code), said)
		e.Remedy = "check the name, and whether a registry answers there"
		if code == http.StatusBadRequest && e.Hop == HopConnect { // plain HTTP was tried after TLS, where that is allowed
			e.Remedy = "if it speaks TLS, put the certificate of its authority into a folder of registryCerts"
		}
	}
	if s.Request != nil {
		if after, ok := s.Request.Context().Value(afterKey{}).(*retryAfter); ok {
			e.After = after.get()
		}
	}
}

// serverMessage is what the registry itself has written, clipped: it may be a page of HTML.
func serverMessage(s *transport.Error) string {
	if len(s.Errors) == 0 || s.Errors[0].Message == "" {
		return ""
	}
	return ", " + clip(strings.Join(strings.Fields(s.Errors[0].Message), " "), 200)
}

// clip bounds and cleans what a stranger wrote.
func clip(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
