package hostfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadsOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(path("file"), []byte("text"), 0o600), os.Mkdir(path("folder"), 0o700), unix.Mkfifo(path("fifo"), 0o600),
		os.Symlink("file", path("link")), os.Symlink("link", path("link to a link")), os.Symlink("none", path("dangling")),
	); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"kmsg": "/proc/kmsg", "zeros": "/dev/zero", "tty": "/dev/tty", "proc": "/proc/self/environ", "sys": "/sys/kernel/mm/transparent_hugepage/enabled",
		"pipe": path("fifo"), "to a folder": path("folder"),
	} {
		if err := os.Symlink(target, path(name)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(target); err != nil {
			continue // not on this machine
		}
		if data, err := Read(path(name), 100); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"fifo", "folder"} {
		if _, err := Read(path(name), 100); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"file", "link", "link to a link"} {
		if data, err := Read(path(name), 4); string(data) != "text" || err != nil {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if _, err := Read(path("dangling"), 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	// One that grows while it is read.
	if _, err := ReadAll(strings.NewReader("12345"), 1, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestWorkThatHangs: it keeps one goroutine, however often it is tried; others go on; when it returns all is well.
func TestWorkThatHangs(t *testing.T) {
	release := make(chan struct{})
	returned := make(chan string, 9)
	g := &Guard{Patience: 10 * time.Millisecond, Most: 2, Returned: func(key string) { returned <- key }}
	hang := func() int { <-release; return 1 }
	if _, err := Do(g, "a", hang); !errors.Is(err, ErrHangs) {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 100 {
		if _, err := Do(g, "a", func() int { t.Error("it was begun again"); return 0 }); !errors.Is(err, ErrHangs) {
			t.Fatal(err)
		}
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines have become %d", before, now)
	}
	g.Patience = time.Minute
	if n, err := Do(g, "b", func() int { return 2 }); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	g.Patience = 10 * time.Millisecond
	if _, err := Do(g, "c", hang); !errors.Is(err, ErrHangs) {
		t.Fatal(err)
	}
	if _, err := Do(g, "b", func() int { t.Error("a third was begun"); return 0 }); !errors.Is(err, ErrHangs) {
		t.Error(err)
	}
	close(release)
	if a, b := <-returned, <-returned; a+b != "ac" && a+b != "ca" {
		t.Errorf("returned: %s, %s", a, b)
	}
	g.Patience = time.Minute
	if n, err := Do(g, "a", hang); n != 1 || err != nil {
		t.Errorf("after its return: %d, %v", n, err)
	}
}
