package test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// serve runs podd images serve in the network of a board, of the images below root.
func (b *Board) serve(address, root string) {
	b.t.Helper()
	cmd := b.In(suite.podd, "images", "serve", "--root", root, "--listen", address)
	out, err := cmd.StdoutPipe()
	b.must(err)
	b.must(cmd.Start())
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, address) {
		b.t.Fatalf("podd images serve says %q: %v", line, err)
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
	b := newEmptyBoard(t, withArgs("--config", config))
	b.must(os.WriteFile(config, []byte("pullImages: false\nimageServe: {address: \"127.0.0.1:5001\"}\n"), 0o600))
	b.start()
	b.podd("images", "load", archive(t, "busybox.tar"))
	b.serve("127.0.0.1:5002", b.Root)
	policy := filepath.Join(t.TempDir(), "policy.json")
	b.must(os.WriteFile(policy, []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o600))
	want := strings.Fields(b.podd("images", "ls"))
	for _, port := range []string{"5001", "5002"} {
		layout := filepath.Join(t.TempDir(), "layout")
		out, err := b.In("skopeo", "--policy", policy, "copy", "--src-tls-verify=false", "docker://127.0.0.1:"+port+"/library/busybox:latest", "oci:"+layout+":copy").CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo: %v\n%s\n%s", err, out, b.Output())
		}
		other := newEmptyBoard(t)
		if out, stderr, code := other.run("images", "load", "--root", other.Root, "--name", "busybox", layout); code != 0 {
			t.Fatalf("what skopeo has copied cannot be loaded: %s%s", out, stderr)
		}
		list, _, _ := other.run("images", "ls", "--root", other.Root)
		if got := strings.Fields(list); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("what skopeo has copied is\n%s\nand what was loaded\n%s", got, want)
		}
	}
	if out, err := b.In("skopeo", "list-tags", "--tls-verify=false", "docker://127.0.0.1:5001/library/busybox").CombinedOutput(); err != nil || !strings.Contains(string(out), `"latest"`) {
		t.Errorf("skopeo list-tags: %v\n%s", err, out)
	}
	if findings, _, _ := b.run("doctor", "--config", config); !strings.Contains(findings, "127.0.0.1:5001") {
		t.Errorf("podd doctor does not say that images are given to others:\n%s", findings)
	}
	if out, err := b.In(suite.podd, "images", "serve", "--root", b.Root+"/none", "--listen", "127.0.0.1:5003").CombinedOutput(); err == nil || !strings.Contains(string(out), "--root") {
		t.Errorf("of a folder that is not there: %v %s", err, out)
	}
	for _, bad := range []struct{ address, want string }{
		{":5003", "--listen must be an address and a port"},
		{"127.0.0.1", "must be an address and a port"},
		{"", "name the address"},
		{"127.0.0.1:5001", "address already in use"},
	} {
		out, err := b.In("timeout", "10", suite.podd, "images", "serve", "--root", b.Root, "--listen", bad.address).CombinedOutput()
		if err == nil || !strings.Contains(string(out), bad.want) {
			t.Errorf("--listen %q: %v %s", bad.address, err, out)
		}
	}
}

// A board takes images from its neighbour: layers of what its registry names, and, where no registry answers and its owner wants
// it so, all of an image.
func TestImagePeers(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	near, b := newEmptyBoard(t), newEmptyBoard(t, withArgs("--config", config))
	certs := startRegistry(t, b)
	auth := filepath.Join(t.TempDir(), "auth.json")
	b.must(os.WriteFile(auth, []byte(`{"auths": {"`+dockerRegistry+`": {"auth": "Ym9hcmQ6c2VjcmV0"}}}`), 0o600)) // board:secret
	b.must(os.WriteFile(config, []byte("registriesConf: /nonexistent\nregistryAuth: ["+auth+"]\nregistryCerts: ["+certs+"]\n"+
		"imagePeers: [\"http://127.0.0.1:1\", \"http://127.0.0.1:5001\"]\nimagePeersResolveTags: true\n"), 0o600))
	const away = "127.0.0.1:4999/team/busybox:1"
	for _, name := range []string{dockerRegistry + "/team/busybox:1", away} {
		if out, err := near.In(suite.podd, "images", "load", "--socket", near.Socket, "--root", near.Root, "--name", name, archive(t, "busybox.tar")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	b.serve("127.0.0.1:5001", near.Root)
	b.start()
	for name, image := range map[string]string{"registry": dockerRegistry + "/team/busybox:1", "away": away} {
		b.drop(name, strings.Replace(podOf(name, "", containerOf("app", forever)), "image: busybox\n    imagePullPolicy: Never", "image: "+image+"\n    imagePullPolicy: IfNotPresent", 1))
	}
	b.running("registry")
	b.running("away")
	b.event("parts of it came from http://127.0.0.1:5001")
	b.event("it is what the peer http://127.0.0.1:5001 has by this name, as the registry does not answer")
}
