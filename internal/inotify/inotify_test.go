package inotify

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) *Watcher {
	t.Helper()
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// next returns the next events; what never comes fails the test.
func next(t *testing.T, w *Watcher) []Event {
	t.Helper()
	if err := w.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	events, err := w.Read()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEventsNameWatchAndFile(t *testing.T) {
	w := open(t)
	a, b := t.TempDir(), t.TempDir()
	inA, err := w.Add(a, unix.IN_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	inB, err := w.Add(b, unix.IN_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(a, "one"))
	if got := next(t, w); len(got) != 1 || got[0] != (Event{Watch: inA, Mask: unix.IN_CREATE, Name: "one"}) {
		t.Errorf("in a: %v", got)
	}
	write(t, filepath.Join(b, "a name that is longer than one event without a name"))
	write(t, filepath.Join(b, "two"))
	var got []Event
	for len(got) < 2 {
		got = append(got, next(t, w)...)
	}
	if got[0].Watch != inB || got[0].Name != "a name that is longer than one event without a name" || got[1].Watch != inB || got[1].Name != "two" {
		t.Errorf("in b: %v", got)
	}
	if again, err := w.Add(a, unix.IN_DELETE); err != nil || again != inA {
		t.Errorf("a second watch of a folder is %d, want %d; %v", again, inA, err)
	}
}

// What has an open folder's name later is not watched.
func TestAddFile(t *testing.T) {
	w := open(t)
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddFile(folder, unix.IN_CREATE|unix.IN_ONLYDIR); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "new"))
	write(t, filepath.Join(dir+".old", "old"))
	if got := next(t, w); len(got) != 1 || got[0].Name != "old" {
		t.Errorf("got %v", got)
	}
}

func TestEndsOfWatches(t *testing.T) {
	w := open(t)
	dir := t.TempDir()
	if _, err := w.Add(filepath.Join(dir, "nothing"), unix.IN_CREATE); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a watch of what is not there: %v", err)
	}
	watch, err := w.Add(dir, unix.IN_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	w.Remove(watch)
	if got := next(t, w); len(got) != 1 || got[0].Watch != watch || got[0].Mask&unix.IN_IGNORED == 0 {
		t.Errorf("after Remove: %v", got)
	}
	w.Remove(watch) // it has ended
	ended := make(chan error)
	go func() { _, err := w.Read(); ended <- err }()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := w.Add(dir, unix.IN_CREATE); err == nil {
		t.Error("a closed watcher takes a watch")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00abc\x00"))
	f.Fuzz(func(t *testing.T, buf []byte) {
		for _, e := range parse(buf, nil) {
			if len(e.Name) > len(buf) {
				t.Errorf("a name of %d bytes out of %d", len(e.Name), len(buf))
			}
		}
	})
}
