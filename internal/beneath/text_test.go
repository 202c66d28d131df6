package beneath

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// A container may make the files that it has mounted from podd, as /etc/resolv.conf, larger than any memory.
func TestReadOwnIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("nameserver 10.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ReadShared(path); got != "nameserver 10.0.0.1\n" {
		t.Errorf("it reads %q", got)
	}
	if got := ReadUpTo(path, 4); got != "name" {
		t.Errorf("of four bytes it reads %q", got)
	}
	if err := os.Truncate(path, 64<<20); err != nil {
		t.Fatal(err)
	}
	if got := ReadShared(path); len(got) > maxText {
		t.Errorf("it reads %d bytes", len(got))
	}
	if got := ReadShared(filepath.Join(t.TempDir(), "none")); got != "" {
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
	_ = ReadShared(path)
	_ = Overwrite(path, "x")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the file was waited for for %v", took)
	}
}

// TestOwnFilesAreNoLinks: what stands in the place of a file that podd has mounted into a container is not followed and
// not waited for.
func TestOwnFilesAreNoLinks(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("of the board"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.Symlink(target, link), unix.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, fifo} {
		if got := ReadShared(path); got != "" {
			t.Errorf("%s: read %q", path, got)
		}
		if err := Overwrite(path, "x"); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: overwritten: %v", path, err)
		}
	}
	for _, path := range []string{link, fifo} {
		var reported error
		report := atomicfile.Report(func(d *atomicfile.Damage, _ string) { reported = d })
		if err := WriteInPlace(path, "ours", 0o644, report); err != nil || reported == nil {
			t.Errorf("%s: %v, reported %v", path, err, reported)
		}
		if got := ReadShared(path); got != "ours" {
			t.Errorf("%s: has %q", path, got)
		}
	}
	if data, _ := os.ReadFile(target); string(data) != "of the board" {
		t.Errorf("the target has %q", data)
	}
}
