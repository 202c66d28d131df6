package deb

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPackage(t *testing.T) {
	p := build(t)
	again := pack(t, binary(t), "v9.0.0-3-gabcdef0")
	if a, b := read(t, p.old), read(t, again); !bytes.Equal(a, b) {
		t.Error("two packages of one commit differ")
	}
	t.Run("contents", func(t *testing.T) { testContents(t, p.old) })
	t.Run("lintian", func(t *testing.T) { testLintian(t, p.old) })
	t.Run("life", func(t *testing.T) { testLife(t, p) })
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

func testContents(t *testing.T, path string) {
	listing := output(t, exec.Command("dpkg-deb", "--contents", path))
	for _, want := range []string{
		"-rwxr-xr-x root/root ./usr/bin/podd",
		"-rw-r--r-- root/root ./usr/lib/systemd/system/podd.service",
		"-rw-r--r-- root/root ./usr/lib/systemd/system/podd-pods.service",
		"-rw-r--r-- root/root ./usr/lib/tmpfiles.d/podd.conf",
		"-rw-r--r-- root/root ./usr/lib/sysctl.d/50-podd.conf",
		"-rw-r--r-- root/root ./usr/lib/modules-load.d/podd.conf",
		"-rw-r--r-- root/root ./etc/podd/config.yaml",
		"drwxr-xr-x root/root ./etc/podd/manifests/",
		"drwxr-xr-x root/root ./etc/podd/images/",
		"-rw-r--r-- root/root ./usr/share/bash-completion/completions/podd",
		"-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_podd",
		"-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/podd.fish",
		"-rw-r--r-- root/root ./usr/share/man/man1/podd.1.gz",
		"-rw-r--r-- root/root ./usr/share/man/man1/podd-run.1.gz",
		"-rw-r--r-- root/root ./usr/share/doc/podd/copyright",
		"-rw-r--r-- root/root ./usr/share/doc/podd/changelog.gz",
		"-rw-r--r-- root/root ./usr/share/doc/podd/licenses.gz",
		"-rw-r--r-- root/root ./usr/share/doc/podd/examples/hello.yaml",
		"-rw-r--r-- root/root ./usr/share/doc/podd/README.md",
		"-rw-r--r-- root/root ./usr/share/doc/podd/docs/manual.md",
		"-rw-r--r-- root/root ./usr/share/doc/podd/docs/upgrade.md",
		"-rw-r--r-- root/root ./usr/share/doc/podd/docs/decisions/001-no-shim.md",
		"-rwxr-xr-x root/root ./usr/share/podd/busybox-image",
	} {
		if !slices.ContainsFunc(strings.Split(listing, "\n"), func(line string) bool {
			f := strings.Fields(line) // mode, owner, size, date, time, path
			return len(f) == 6 && f[0]+" "+f[1]+" "+f[5] == want
		}) {
			t.Errorf("lacks %s:\n%s", want, listing)
		}
	}
	if got := output(t, exec.Command("dpkg-deb", "--field", path, "Version")); got != "9.0.0+3.gabcdef0\n" {
		t.Errorf("version %q", got)
	}
}

func testLintian(t *testing.T, path string) {
	if _, err := exec.LookPath("lintian"); err != nil {
		t.Skip("no lintian here")
	}
	if got := output(t, exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", path)); got != "" {
		t.Error(got)
	}
}

func testLife(t *testing.T, p packages) {
	m := newMachine(t)
	before := m.files()

	asked := m.dpkg("--install", p.old)
	expect(t, "install", asked, []string{"daemon-reload", "start podd.service"}, []string{"stop"})
	if !m.exists("etc/systemd/system/multi-user.target.wants/podd.service") {
		t.Error("the unit is not enabled")
	}
	testUnits(t, m)
	if said, err := m.run("podd", "validate", "-f", "/usr/share/doc/podd/examples"); err != nil {
		t.Errorf("the examples are refused: %v\n%s", err, said)
	}

	put := func(path, text string) {
		must(t, os.MkdirAll(filepath.Dir(m.at(path)), 0o755))
		must(t, os.WriteFile(m.at(path), []byte(text), 0o644))
	}
	put("etc/podd/config.yaml", "bridge: mine0\n")
	put("etc/podd/manifests/mine.yaml", "x")
	put("var/lib/podd/images/blob", "x")
	put("var/log/pods/x/0.log", "x")

	asked = m.dpkg("--install", p.next)
	expect(t, "upgrade", asked, []string{"daemon-reload", "try-restart podd.service"}, []string{" stop", "stop ", " start", "podd-pods"})
	if text, _ := os.ReadFile(m.at("etc/podd/config.yaml")); string(text) != "bridge: mine0\n" {
		t.Errorf("the upgrade has changed the configuration: %s", text)
	}

	asked = m.dpkg("--remove", "podd")
	expect(t, "removal", asked, []string{"stop podd.service podd-pods.service"}, []string{"start podd"})
	for path, want := range map[string]bool{
		"usr/bin/podd": false, "usr/lib/systemd/system/podd.service": false,
		"etc/podd/config.yaml": true, "etc/podd/manifests/mine.yaml": true, "var/lib/podd/images/blob": true, "var/log/pods/x/0.log": true,
	} {
		if m.exists(path) != want {
			t.Errorf("after the removal: %s: %v", path, m.exists(path))
		}
	}

	m.dpkg("--purge", "podd")
	for _, path := range m.files() {
		if !slices.Contains(before, path) && !ofDpkg(path) {
			t.Errorf("left after the purge: %s", path)
		}
	}
}

// ofDpkg is what a machine has after any package.
func ofDpkg(path string) bool {
	for _, p := range []string{"/var/lib/dpkg/", "/var/log/", "/var/lib/systemd", "/layer/upper/"} {
		if strings.HasPrefix(path, p) && !strings.Contains(path, "podd") && !strings.HasPrefix(path, "/var/log/pods") {
			return true
		}
	}
	return path == "/etc/systemd/system/multi-user.target.wants" || path == "/run/systemd/systemd-units-load"
}

func expect(t *testing.T, what, asked string, wanted, unwanted []string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(asked, w) {
			t.Errorf("%s: systemctl was not asked to %q:\n%s", what, w, asked)
		}
	}
	for _, w := range unwanted {
		if strings.Contains(asked, w) {
			t.Errorf("%s: systemctl was asked to %q:\n%s", what, w, asked)
		}
	}
}

// testUnits has systemd read the units.
func testUnits(t *testing.T, m *machine) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("no systemd-analyze here: the units are not verified")
		return
	}
	said, err := m.run("systemd-analyze", "verify", "--man=no", "podd.service", "podd-pods.service")
	for line := range strings.Lines(said) {
		// Of systemd 254; before that it is ignored, as docs/install.md says.
		if !strings.Contains(line, "Unknown key 'FileDescriptorStorePreserve'") && strings.Contains(line, "podd") {
			t.Error(line)
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
}
