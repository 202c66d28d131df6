package images

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// dockerRegistry is Debian's docker-registry, with TLS and a password, on the loopback of a board.
const dockerRegistry = "127.0.0.1:5000"

// rarePassword is that of the user "rare", a word that is found where it should not be.
const rarePassword = "fahrvergnuegen"

// startRegistry serves what skopeo puts in, to the users board and rare. certs is a folder for registryCerts; the registry's
// own is data beside it.
func startRegistry(t *testing.T, b *harness.Board) (certs string) {
	t.Helper()
	for _, program := range []string{"docker-registry", "skopeo"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s: hack/deps.sh test installs it", program)
		}
	}
	dir := t.TempDir()
	certs = filepath.Join(dir, "certs.d")
	cert, key := makeCertificate(t)
	put := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("certs.d/"+dockerRegistry+"/ca.crt", cert)
	put("key.pem", key)
	put("htpasswd", "board:$2a$04$1k60QZ/miukTm1CPOKFE9O1vhESZnxd2kIn1itHi3GaWmG8R1FLCG\n"+ // "secret"
		"rare:$2b$04$K95evZWVeCBpx1u3Moa7G.8S5qEpY5z4irYaGtIjny4hhx.D2uE6u\n")
	put("config.yml", fmt.Sprintf(`version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: %[1]s/data}}
http: {addr: "%[2]s", tls: {certificate: "%[1]s/certs.d/%[2]s/ca.crt", key: "%[1]s/key.pem"}}
auth: {htpasswd: {realm: board, path: %[1]s/htpasswd}}
`, dir, dockerRegistry))
	serve := b.In("docker-registry", "serve", filepath.Join(dir, "config.yml"))
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
	})
	policy := filepath.Join(dir, "policy.json")
	put("policy.json", `{"default": [{"type": "insecureAcceptAnything"}]}`)
	deadline := time.Now().Add(20 * time.Second)
	for {
		out, err := b.In("skopeo", "--policy", policy, "copy", "--dest-tls-verify=false", "--dest-creds=board:secret",
			"docker-archive:"+harness.Archive(t, "busybox.tar"), "docker://"+dockerRegistry+"/team/busybox:1").CombinedOutput()
		if err == nil {
			return certs
		}
		if time.Now().After(deadline) {
			t.Fatalf("skopeo cannot fill the registry: %v\n%s", err, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func makeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "registry of a test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
}

// A pod whose image is in a private registry: without the Secret it is told why, with it it runs, and another pod without
// the Secret does not get the image from the board.
func TestPullFromAPrivateRegistry(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", config))
	certs := startRegistry(t, b)
	if err := os.WriteFile(config, []byte("registriesConf: /nonexistent\nregistryAuth: []\nregistryCerts: ["+certs+"]\nhttpsProxy: http://us:geheim@127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.MustStart()
	const image = dockerRegistry + "/team/busybox:1"
	pod := func(name, more string) string {
		text := harness.PodOf(name, more+"\n", harness.ContainerOf("app", harness.Forever))
		return strings.Replace(text, "image: busybox\n    imagePullPolicy: Never", "image: "+image+"\n    imagePullPolicy: IfNotPresent", 1)
	}
	b.MustDrop("asks", pod("asks", "imagePullSecrets: [{name: regcred}]"))
	b.WaitPod("asks", harness.IsWaiting("app", "ImagePullBackOff"))
	waiting := harness.ContainerStatus(b.WaitPod("asks", func(*corev1.Pod) string { return "" }), "app").State.Waiting
	if waiting == nil || !strings.Contains(waiting.Message, "auth at "+dockerRegistry) {
		t.Errorf("without credentials it waits: %+v", waiting)
	}
	b.MustDrop("regcred", fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: regcred}\ntype: kubernetes.io/dockerconfigjson\nstringData:\n"+
		"  .dockerconfigjson: '{\"auths\": {%q: {\"username\": \"board\", \"password\": \"secret\"}}}'\n", dockerRegistry+"/team"))
	b.Running("asks")
	events := b.CLI("get", "events")
	for _, want := range []string{"Pulling image \"" + image + "\"", "Failed to pull image", "Back-off pulling image", "Successfully pulled image"} {
		if !strings.Contains(events, want) {
			t.Errorf("no event says %q:\n%s", want, events)
		}
	}
	for _, text := range []string{events, b.Output(), b.CLI("get", "pods", "-o", "json")} {
		if strings.Contains(text, "secret\"") && strings.Contains(text, "password") {
			t.Errorf("the password is shown:\n%s", text)
		}
	}
	for _, bad := range []struct{ name, want string }{
		{"", "without a name"},
		{"user:geheim@" + image, "***@" + dockerRegistry},
		{dockerRegistry + "/team/busybox:none", "auth at " + dockerRegistry}, // the node has no credentials
		{dockerRegistry + "/Team/busybox:1", "must be lowercase"},
		{"127.0.0.1:4999/a:1", "connect at 127.0.0.1:4999"},
		{"registry.invalid/a:1", "connect at registry.invalid: proxyconnect tcp: dial tcp 127.0.0.1:1"},
	} {
		_, said, code := b.RunCLI("images", "pull", bad.name)
		if code == 0 || strings.Contains(said, "geheim") || strings.Count(said, "\n") != 1 || !strings.Contains(said, bad.want) {
			t.Errorf("podd images pull %q: %d, %s", bad.name, code, said)
		}
	}
	b.MustDrop("stranger", pod("stranger", ""))
	b.WaitPod("stranger", harness.IsWaiting("app", "ImagePullBackOff"))
	b.MustDrop("friend", pod("friend", "imagePullSecrets: [{name: regcred}]"))
	b.Running("friend")
}
