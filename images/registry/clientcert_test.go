package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podd/images/registry/registrytest"
)

// clientPair is a certificate that its own key has signed, and the key, as PEM.
func clientPair(t *testing.T, name string) (certificate *x509.Certificate, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return certificate, pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", keyDER)
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// A registry that asks for the board's certificate gets that of the folder, in Docker's shape and in containerd's; without
// one, and with a broken one, a sentence says so.
func TestClientCertificates(t *testing.T) {
	known, cert, key := clientPair(t, "board")
	_, otherCert, otherKey := clientPair(t, "other")
	reg := registrytest.New()
	digest := reg.Add(t, "app", "v1", simple())
	server := httptest.NewUnstartedServer(reg)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	server.TLS.ClientCAs.AddCert(known)
	server.StartTLS()
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "https://")
	authority := pemOf("CERTIFICATE", server.Certificate().Raw)
	own := func(files map[string]string) *Client {
		certs := t.TempDir()
		for name, text := range files {
			put(t, filepath.Join(certs, host, name), "%s", text)
		}
		return &Client{Patience: impatient(), Hosts: Hosts{Certs: []string{certs}}}
	}
	toml := func(client string) string {
		return fmt.Sprintf("server = %q\nca = \"own-ca\"\nclient = %s\n", server.URL, client)
	}
	for name, files := range map[string]map[string]string{
		"Docker's folder":   {"ca.crt": authority, "client.cert": cert, "client.key": key},
		"a pair":            {"hosts.toml": toml(`[["c.pem", "k.pem"]]`), "own-ca": authority, "c.pem": cert, "k.pem": key},
		"both in one file":  {"hosts.toml": toml(`"both.pem"`), "own-ca": authority, "both.pem": cert + key},
		"a list of one":     {"hosts.toml": toml(`["both.pem"]`), "own-ca": authority, "both.pem": cert + key},
		"the second of two": {"ca.crt": authority, "a.cert": otherCert, "a.key": otherKey, "b.cert": cert, "b.key": key},
	} {
		t.Run(name, func(t *testing.T) {
			if img := open(t, own(files), ref(t, host, "app:v1"), nil); img.Digest != digest {
				t.Errorf("it is %s", img.Digest)
			}
		})
	}
	for want, files := range map[string]map[string]string{
		"certificate":                       {"ca.crt": authority},
		"cannot use the client certificate": {"ca.crt": authority, "client.cert": cert, "client.key": "no key"},
		"there is no certificate in":        {"ca.crt": "no certificate"},
		"client.key: no such file":          {"ca.crt": authority, "client.cert": cert},
		"no such file or directory":         {"hosts.toml": toml(`["away.pem"]`), "own-ca": authority},
	} {
		if _, err := own(files).Open(context.Background(), ref(t, host, "app:v1"), nil, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", files, err, want)
		}
	}
}
