package xattr

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// All attributes come, however long the list of their names is, those of a link itself, and none where there are none.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 { // ext4 has room for a page of them
		if err := unix.Mount("podd-test", dir, "tmpfs", 0, ""); err == nil {
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		}
	}
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink("file", link)); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(file); len(got) > 0 || err != nil {
		t.Errorf("of a file without: %v, %v", got, err)
	}
	want := map[string]string{"user.empty": "", "user.zero": "a\x00b"}
	for i := range 30 {
		want[fmt.Sprintf("user.%s%d", strings.Repeat("n", 200), i)] = "x"
	}
	for name, value := range want {
		if err := unix.Lsetxattr(file, name, []byte(value), 0); err != nil {
			t.Skipf("no attributes here: %v", err)
		}
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%.20s… is %q", name, v)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok && strings.HasPrefix(name, "user.") {
			t.Errorf("there is %s", name)
		}
	}
	if got, err := Read(link); got["user.zero"] != "" || err != nil {
		t.Errorf("of the link: %v, %v", got, err)
	}
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
}
