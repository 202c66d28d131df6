// Package deb tests the Debian package: what is in it, and what becomes of a machine that it is installed on, upgraded
// on, removed from and purged from.
package deb

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packages are two versions of the package for this machine's own architecture.
type packages struct{ old, next string }

// build makes both, of the binary that the tests are about.
func build(t *testing.T) packages {
	t.Helper()
	for _, tool := range []string{"dpkg-deb", "gzip", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here", tool)
		}
	}
	old := pack(t, binary(t), "v9.0.0-3-gabcdef0")
	return packages{old, newer(t, old)}
}

// binary is the one that the tests are about.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PODD_BIN")
	if path == "" {
		path = "../../bin/podd"
	}
	path, err := filepath.Abs(path)
	must(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no binary to pack, make build makes it: %v", err)
	}
	return path
}

// newer is the same package as of a later version.
func newer(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	output(t, exec.Command("dpkg-deb", "--raw-extract", path, dir))
	control := filepath.Join(dir, "DEBIAN/control")
	text, err := os.ReadFile(control)
	must(t, err)
	must(t, os.WriteFile(control, bytes.Replace(text, []byte("Version: 9.0.0+3"), []byte("Version: 9.0.1"), 1), 0o644))
	output(t, exec.Command("dpkg-deb", "-Znone", "--build", dir, dir+".deb"))
	return dir + ".deb"
}

// pack runs hack/deb.sh.
func pack(t *testing.T, binary, version string) string {
	t.Helper()
	arch := strings.TrimSpace(output(t, exec.Command("dpkg", "--print-architecture")))
	command := exec.Command("../../hack/deb.sh", arch)
	out := t.TempDir()
	command.Env = append(os.Environ(), "PODD="+binary, "OUT="+out, "VERSION="+version)
	output(t, command)
	found, err := filepath.Glob(filepath.Join(out, "podd_*_"+arch+".deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	return found[0]
}

func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", c, err, out, &stderr)
	}
	return string(out)
}
