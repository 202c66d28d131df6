package deb

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The archive installs podd, upgrades it without touching the configuration, and takes away what it has brought.
func TestTarball(t *testing.T) {
	if _, err := exec.LookPath("gzip"); err != nil {
		t.Skip("no gzip here")
	}
	out, root := t.TempDir(), t.TempDir()
	arch := strings.NewReplacer("x86_64", "amd64", "aarch64", "arm64", "armv7l", "armv7").Replace(strings.TrimSpace(output(t, exec.Command("uname", "-m"))))
	command := exec.Command("../../hack/tarball.sh", arch)
	command.Env = append(os.Environ(), "PODD="+binary(t), "OUT="+out, "VERSION=v9.0.0")
	output(t, command)
	output(t, exec.Command("tar", "-C", out, "-xzf", filepath.Join(out, "podd-v9.0.0-linux-"+arch+".tar.gz")))
	run := func(script string, args ...string) {
		t.Helper()
		output(t, exec.Command(filepath.Join(out, "podd-v9.0.0-linux-"+arch, script), append([]string{"--destdir", root, "--prefix", "/opt/podd"}, args...)...))
	}
	files := func() (list []string) {
		must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				list = append(list, strings.TrimPrefix(path, root))
			}
			return err
		}))
		return list
	}

	run("install.sh")
	for _, want := range []string{"/opt/podd/bin/podd", "/opt/podd/share/man/man1/podd.1", "/opt/podd/lib/systemd/system/podd-pods.service", "/etc/init.d/podd", "/etc/podd/config.yaml"} {
		if !slices.Contains(files(), want) {
			t.Errorf("lacks %s: %s", want, files())
		}
	}
	if unit := string(read(t, filepath.Join(root, "opt/podd/lib/systemd/system/podd.service"))); !strings.Contains(unit, "ExecStart=/opt/podd/bin/podd run\n") {
		t.Errorf("the unit does not start what is installed:\n%s", unit)
	}
	config := filepath.Join(root, "etc/podd/config.yaml")
	must(t, os.WriteFile(config, []byte("bridge: mine0\n"), 0o600))
	run("install.sh")
	if string(read(t, config)) != "bridge: mine0\n" {
		t.Error("a second installation has changed the configuration")
	}
	run("uninstall.sh")
	if left := files(); !slices.Equal(left, []string{"/etc/podd/config.yaml"}) {
		t.Errorf("left: %s", left)
	}
	run("install.sh")
	run("uninstall.sh", "--purge")
	if left := files(); len(left) > 0 {
		t.Errorf("left after the purge: %s", left)
	}
}
