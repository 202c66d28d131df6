package distribution

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// KeyPair are the files of a certificate, with those between it and its authority, and of its private key, in PEM. Neither:
// images are given over plain HTTP.
type KeyPair struct{ Cert, Key string }

// Check demands both files or none. certName and keyName are what the owner calls them.
func (k KeyPair) Check(certName, keyName string) error {
	if (k.Cert == "") != (k.Key == "") {
		return fmt.Errorf("%s and %s must be given together: a certificate is of no use without its key", certName, keyName)
	}
	return nil
}

// Secure makes a listener speak TLS if there is a pair. The files are read now, and again when they have changed: whoever
// renews a certificate needs not start podd again. A pair that has become bad leaves the one before in use, and log says so.
func Secure(l net.Listener, k KeyPair, log *slog.Logger) (net.Listener, error) {
	if k.Cert == "" {
		return l, nil
	}
	p := &renewed{KeyPair: k, log: log}
	if err := p.read(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certificate}), nil
}

// renewed is a pair of files that somebody may write anew.
type renewed struct {
	KeyPair

	log   *slog.Logger
	mu    sync.Mutex
	pair  *tls.Certificate
	times [2]time.Time // of the files when they were read
}

func (p *renewed) read() error {
	p.times = p.changed()
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		return fmt.Errorf("cannot use the certificate %s with the key %s: %w", p.Cert, p.Key, err)
	}
	p.pair = &pair
	return nil
}

// changed is when the files were written last; the zero time for one that is not there.
func (p *renewed) changed() (times [2]time.Time) {
	for i, file := range []string{p.Cert, p.Key} {
		if st, err := os.Stat(file); err == nil {
			times[i] = st.ModTime()
		}
	}
	return times
}

func (p *renewed) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed() != p.times {
		if err := p.read(); err != nil { // it may be half written: the next time tells
			p.log.Warn("the certificate before is used", "error", err)
		}
	}
	return p.pair, nil
}
