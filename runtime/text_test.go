package runtime

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A container may make the files that it has mounted from podd, as /etc/resolv.conf, larger than any memory.
func TestReadOwnIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("nameserver 10.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readOwn(path); got != "nameserver 10.0.0.1\n" {
		t.Errorf("it reads %q", got)
	}
	if got := readUpTo(path, 4); got != "name" {
		t.Errorf("of four bytes it reads %q", got)
	}
	if err := os.Truncate(path, 64<<20); err != nil {
		t.Fatal(err)
	}
	if got := readOwn(path); len(got) > maxText {
		t.Errorf("it reads %d bytes", len(got))
	}
	if got := readOwn(filepath.Join(t.TempDir(), "none")); got != "" {
		t.Errorf("of a file that is missing it reads %q", got)
	}
}

// A lease keeps whoever opens the file waiting, and the loop is one of those.
func TestTextUnderALease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no lease can be had here: %v", err)
	}
	begun := time.Now()
	_ = readOwn(path)
	_ = overwrite(path, "x")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the file was waited for for %v", took)
	}
}
