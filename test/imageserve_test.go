package test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// serveImages runs podd images serve in the network of a board.
func (b *Board) serveImages(address string, args ...string) {
	b.t.Helper()
	cmd := b.In(append([]string{suite.podd, "images", "serve", "--root", b.Root, "--listen", address}, args...)...)
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
	b.serveImages("127.0.0.1:5002")
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
