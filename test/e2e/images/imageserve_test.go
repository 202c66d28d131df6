package images

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/harness"
)

// serve runs podd images serve in the network of a board, of the images below root.
func serve(b *harness.Board, address, root string, flags ...string) {
	b.T.Helper()
	cmd := b.In(append([]string{harness.Suite.Podd, "images", "serve", "--root", root, "--listen", address}, flags...)...)
	out, err := cmd.StdoutPipe()
	b.Must(err)
	b.Must(cmd.Start())
	b.T.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, address) {
		b.T.Fatalf("podd images serve says %q: %v", line, err)
	}
}

// Others read the store as a registry, by the command and by the daemon: all layers that they get have their digests, and an
// image that came by skopeo is the one that was loaded.
func TestImagesServe(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("needs skopeo: hack/deps.sh test installs it")
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", config))
	b.Must(os.WriteFile(config, []byte("pullImages: false\nimageServe: {address: \"127.0.0.1:5001\"}\n"), 0o600))
	b.MustStart()
	b.CLI("images", "load", harness.Archive(t, "busybox.tar"))
	serve(b, "127.0.0.1:5002", b.Root)
	policy := filepath.Join(t.TempDir(), "policy.json")
	b.Must(os.WriteFile(policy, []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o600))
	want := strings.Fields(b.CLI("images", "ls"))
	for _, port := range []string{"5001", "5002"} {
		layout := filepath.Join(t.TempDir(), "layout")
		out, err := b.In("skopeo", "--policy", policy, "copy", "--src-tls-verify=false", "docker://127.0.0.1:"+port+"/library/busybox:latest", "oci:"+layout+":copy").CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo: %v\n%s\n%s", err, out, b.Output())
		}
		other := harness.NewEmptyBoard(t)
		if out, stderr, code := other.RunCLI("images", "load", "--root", other.Root, "--name", "busybox", layout); code != 0 {
			t.Fatalf("what skopeo has copied cannot be loaded: %s%s", out, stderr)
		}
		list, _, _ := other.RunCLI("images", "ls", "--root", other.Root)
		if got := strings.Fields(list); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("what skopeo has copied is\n%s\nand what was loaded\n%s", got, want)
		}
	}
	if out, err := b.In("skopeo", "list-tags", "--tls-verify=false", "docker://127.0.0.1:5001/library/busybox").CombinedOutput(); err != nil || !strings.Contains(string(out), `"latest"`) {
		t.Errorf("skopeo list-tags: %v\n%s", err, out)
	}
	if findings, _, _ := b.RunCLI("doctor", "--config", config); !strings.Contains(findings, "127.0.0.1:5001") {
		t.Errorf("podd doctor does not say that images are given to others:\n%s", findings)
	}
	if out, err := b.In(harness.Suite.Podd, "images", "serve", "--root", b.Root+"/none", "--listen", "127.0.0.1:5003").CombinedOutput(); err == nil || !strings.Contains(string(out), "--root") {
		t.Errorf("of a folder that is not there: %v %s", err, out)
	}
	for _, bad := range []struct{ address, want string }{
		{":5003", "--listen must be an address and a port"},
		{"127.0.0.1", "must be an address and a port"},
		{"", "name the address"},
		{"127.0.0.1:5001", "address already in use"},
		{"127.0.0.1:5003 --tls-cert-file=/none", "must be given together"},
		{"127.0.0.1:5003 --tls-cert-file=/none --tls-private-key-file=/none", "cannot use the certificate /none"},
	} {
		address, flags, _ := strings.Cut(bad.address, " ")
		args := append([]string{"timeout", "10", harness.Suite.Podd, "images", "serve", "--root", b.Root, "--listen", address}, strings.Fields(flags)...)
		out, err := b.In(args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), bad.want) {
			t.Errorf("--listen %q: %v %s", bad.address, err, out)
		}
	}
}

// A board takes images from its neighbour, which serves with a certificate: layers of what its registry names, and, where no registry answers and its owner wants
// it so, all of an image.
func TestImagePeers(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	near, b := harness.NewEmptyBoard(t), harness.NewEmptyBoard(t, harness.WithArgs("--config", config))
	certs := startRegistry(t, b)
	cert, key := makeCertificate(t)
	ca, keyFile := filepath.Join(certs, "127.0.0.1:5001/ca.crt"), filepath.Join(t.TempDir(), "key.pem")
	b.Must(os.Mkdir(filepath.Dir(ca), 0o755))
	b.Must(os.WriteFile(ca, []byte(cert), 0o600))
	b.Must(os.WriteFile(keyFile, []byte(key), 0o600))
	auth := filepath.Join(t.TempDir(), "auth.json")
	b.Must(os.WriteFile(auth, []byte(`{"auths": {"`+dockerRegistry+`": {"auth": "Ym9hcmQ6c2VjcmV0"}}}`), 0o600)) // board:secret
	b.Must(os.WriteFile(config, []byte("registriesConf: /nonexistent\nregistryAuth: ["+auth+"]\nregistryCerts: ["+certs+"]\n"+
		"imagePeers: [\"http://127.0.0.1:1\", \"https://127.0.0.1:5001\"]\nimagePeersResolveTags: true\n"), 0o600))
	const away = "127.0.0.1:4999/team/busybox:1"
	for _, name := range []string{dockerRegistry + "/team/busybox:1", away} {
		if out, err := near.In(harness.Suite.Podd, "images", "load", "--socket", near.Socket, "--root", near.Root, "--name", name, harness.Archive(t, "busybox.tar")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	serve(b, "127.0.0.1:5001", near.Root, "--tls-cert-file", ca, "--tls-private-key-file", keyFile)
	b.MustStart()
	for name, image := range map[string]string{"registry": dockerRegistry + "/team/busybox:1", "away": away} {
		b.MustDrop(name, strings.Replace(harness.PodOf(name, "", harness.ContainerOf("app", harness.Forever)), "image: busybox\n    imagePullPolicy: Never", "image: "+image+"\n    imagePullPolicy: IfNotPresent", 1))
	}
	b.Running("registry")
	b.Running("away")
	b.Event("parts of it came from https://127.0.0.1:5001")
	b.Event("it is what the peer https://127.0.0.1:5001 has by this name, as the registry does not answer")
}
