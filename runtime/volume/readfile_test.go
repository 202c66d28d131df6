package volume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A container may put anything in the place of a file that podd reads: nothing but a file beneath the volume is read.
func TestReadFile(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "sub/file"), []byte("0123456789"), 0o600))
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "out")))
	must(t, os.Symlink("sub/file", filepath.Join(dir, "in")))
	must(t, os.Symlink("sub", filepath.Join(dir, "folder")))
	must(t, os.Symlink(outside, filepath.Join(dir, "gone")))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	for path, want := range map[string]string{
		"sub/file": "01234567", "./sub//file": "01234567",
		"out": "link", "in": "link", "folder/file": "link", "gone/secret": "link",
		"fifo": "not a regular file", "sub": "not a regular file", "none": "no such file",
		"../" + filepath.Base(outside): "leaves", filepath.Join(outside, "secret"): "leaves",
	} {
		data, err := ReadFile(dir, path, 8)
		got := string(data)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || strings.Contains(got, "secret") && err == nil {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
