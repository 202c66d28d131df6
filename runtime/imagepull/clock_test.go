package imagepull

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"podd/images/registry"
	"podd/runtime/state"
)

// A registry whose certificate begins later than the board's clock shows: the pull waits for the clock, an image that is there
// is used, and the pull goes well once the board knows a later time.
func TestClockNotSet(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for a network of its own")
	}
	if os.Getenv("IMAGEPULL_OWN_NETWORK") == "" { // a loopback's address could also do without TLS
		cmd := exec.Command(os.Args[0], "-test.run=^TestClockNotSet$", "-test.count=1")
		cmd.Env = append(os.Environ(), "IMAGEPULL_OWN_NETWORK=yes")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	const address = "10.99.0.1"
	for _, line := range []string{"link set lo up", "address add " + address + "/32 dev lo"} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v, %s", line, err, out)
		}
	}
	listen, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	host, certs := listen.Addr().String(), t.TempDir()
	begins := time.Now().Add(time.Hour)
	b := newBoard(t)
	b.reg.Add(t, "app", "v1", small())
	server := httptest.NewUnstartedServer(b.reg)
	server.Listener, server.TLS = listen, &tls.Config{Certificates: []tls.Certificate{certificateFrom(t, begins, address, filepath.Join(certs, host))}}
	server.StartTLS()
	defer server.Close()
	floor := time.Now().Add(time.Minute) // of another machine, or of the last run
	b.puller.Client = &registry.Client{
		Patience: registry.Patience{First: 1, Most: 1000}, Hosts: registry.Hosts{Certs: []string{certs}}, Floor: func() time.Time { return floor },
	}
	out := b.pull(host + "/app:v1")
	if out.Reason != state.ReasonClock || strings.Contains(out.Message, "x509") || !strings.Contains(out.Message, "clock") {
		t.Errorf("%s: %s", out.Reason, out.Message)
	}
	b.puller.Settings = func() Settings { return Settings{Offline: true} }
	if out := b.puller.Pull(t.Context(), Request{Image: host + "/app:v1", ByHand: true, Present: true}); out.Err != nil || out.Present == "" {
		t.Errorf("an image that is there: %+v", out)
	}
	floor = begins.Add(time.Minute)
	if out := b.pull(host + "/app:v1"); out.Err != nil {
		t.Errorf("with a later floor: %v", out.Err)
	}
}

// certificateFrom makes a certificate that is its own authority, and puts it where the configuration of a registry is.
func certificateFrom(t *testing.T, begins time.Time, address, folder string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(address)}, NotBefore: begins, NotAfter: begins.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
