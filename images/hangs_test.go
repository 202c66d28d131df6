package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/imagetest"
	"podd/internal/hostfile"
)

// TestAnOCILayoutHoldsFiles: what stands in the place of one in an unpacked layout is refused, and not waited for.
func TestAnOCILayoutHoldsFiles(t *testing.T) {
	for _, name := range []string{"index.json", "blob"} {
		for kind, put := range map[string]func(path string) error{
			"FIFO":   func(p string) error { return unix.Mkfifo(p, 0o600) },
			"device": func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
		} {
			dir := t.TempDir()
			if err := imagetest.OCIFolder(dir, hello("hello:1", "world")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			if name == "blob" {
				blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
				if err != nil || len(blobs) == 0 {
					t.Fatal(blobs, err)
				}
				path = blobs[0]
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := put(path); errors.Is(err, unix.EPERM) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if _, err := openStore(t, Options{}).LoadPath(context.Background(), dir, LoadOptions{}); !errors.Is(err, ErrRefused) {
				t.Errorf("%s as a %s: %v", name, kind, err)
			}
		}
	}
}

// TestAnArchiveThatHangs: it is one sentence, the others are imported, and it is when it answers.
func TestAnArchiveThatHangs(t *testing.T) {
	s, dir := openStore(t, Options{}), t.TempDir()
	writeFile(t, dir, "a.tar", dockerArchive(t, hello("a", "1")))
	path := writeFile(t, dir, "b.tar", dockerArchive(t, hello("b", "2")))
	answers := make(chan struct{}, 1)
	s.OnAnswer(func() { answers <- struct{}{} })
	release := make(chan struct{})
	s.archives.Patience = time.Millisecond
	if _, err := hostfile.Do(&s.archives, path, func() int { <-release; return 0 }); !errors.Is(err, hostfile.ErrHangs) {
		t.Fatal(err)
	}
	s.archives.Patience = time.Minute
	r := importFolder(t, s, dir)
	if len(r) != 2 || r[0].Err != nil || len(r[0].Images) != 1 || !errors.Is(r[1].Err, hostfile.ErrHangs) || !strings.Contains(r[1].Err.Error(), path) {
		t.Fatalf("%+v", r)
	}
	close(release)
	<-answers
	if r = importFolder(t, s, dir); r[0].New || r[1].Err != nil || len(r[1].Images) != 1 {
		t.Errorf("when it answers: %+v", r)
	}
	// The folder itself.
	release = make(chan struct{})
	defer close(release)
	s.archives.Patience = time.Millisecond
	if _, err := hostfile.Do(&s.archives, dir, func() int { <-release; return 0 }); !errors.Is(err, hostfile.ErrHangs) {
		t.Fatal(err)
	}
	if _, err := s.ImportFolder(context.Background(), dir); !errors.Is(err, hostfile.ErrHangs) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
}
