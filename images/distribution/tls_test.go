package distribution

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair writes a certificate of 127.0.0.1 and its key, with a time that differs from that of others.
func writePair(t *testing.T, k KeyPair, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "board"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	put(t, k.Cert, string(cert), serial)
	put(t, k.Key, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})), serial)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

func put(t *testing.T, path, text string, minute int64) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(minute*60, 0)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// With a certificate the store is given over TLS alone. A new certificate counts at once, and a bad one not at all.
func TestServeWithTLS(t *testing.T) {
	store, _ := storeOf(t, appOf("registry.example.com/app:1", "gzip"))
	dir := t.TempDir()
	k := KeyPair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	listen := func() (net.Listener, error) {
		l, err := Listen(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return Secure(l, k, slog.New(slog.DiscardHandler))
	}
	if _, err := listen(); err == nil || !strings.Contains(err.Error(), k.Cert) {
		t.Fatalf("without the files: %v", err)
	}
	pool := writePair(t, k, 1)
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (&Server{Store: store, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	get := func(scheme string, pool *x509.CertPool) (serial int64, err error) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+l.Addr().String()+"/v2/app/manifests/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if scheme == "https" && resp.StatusCode != http.StatusOK || scheme == "http" && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("over %s it answers %s", scheme, resp.Status)
		}
		if resp.TLS == nil {
			return 0, nil
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if _, err := get("http", nil); err != nil {
		t.Error(err)
	}
	if got, err := get("https", pool); got != 1 {
		t.Errorf("the certificate is %d: %v", got, err)
	}
	if _, err := get("https", x509.NewCertPool()); err == nil {
		t.Error("a client that does not know the authority is content")
	}
	pool = writePair(t, k, 2)
	if got, err := get("https", pool); got != 2 {
		t.Errorf("after it was renewed the certificate is %d: %v", got, err)
	}
	put(t, k.Cert, "half a certifi", 3)
	if got, err := get("https", pool); got != 2 {
		t.Errorf("when the file is bad the certificate is %d: %v", got, err)
	}
	pool = writePair(t, k, 4)
	if got, err := get("https", pool); got != 4 {
		t.Errorf("when the file is good again the certificate is %d: %v", got, err)
	}
	if err := (KeyPair{Cert: "x"}).Check("--cert", "--key"); err == nil || !strings.Contains(err.Error(), "--cert and --key must be given together") {
		t.Errorf("without a key: %v", err)
	}
}
