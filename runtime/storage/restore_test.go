package storage

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/runtime/executor"
)

// oneFile is an archive with a file.
func oneFile(t *testing.T, name, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	_, err := io.WriteString(w, data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func free() error { return nil }

// Two archives for one claim are not unpacked into one folder: the later is refused, and the first is whole.
func TestRestoreOneAtATime(t *testing.T) {
	a := executor.ClaimFolder{Folder: filepath.Join(t.TempDir(), "volumes", "default_db")}
	a.Dir = filepath.Dir(a.Folder)
	read, write := io.Pipe()
	first := make(chan error, 1)
	go func() {
		err := Restore(a, read, free)
		_ = read.Close() // no writer waits for a reader that is gone
		first <- err
	}()
	archive := oneFile(t, "row", "1")
	if _, err := write.Write(archive[:512]); err != nil {
		t.Fatal(err)
	}
	err := Restore(a, bytes.NewReader(oneFile(t, "other", "2")), free)
	if err == nil || !strings.Contains(err.Error(), "another archive is being restored") {
		t.Errorf("the second: %v", err)
	}
	if _, err := write.Write(archive[512:]); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(a.Folder); err != nil || len(entries) != 1 || entries[0].Name() != "row" {
		t.Errorf("restored: %v, %v", entries, err)
	}
	if err := Restore(a, bytes.NewReader(oneFile(t, "other", "2")), free); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Claims whose names begin alike have nothing to do with one another.
func TestRestoreBesideOthers(t *testing.T) {
	b := newBoard(t)
	names := []string{"db", "db.restored", "db-restored", "db.old"}
	for _, name := range names {
		b.say(claim(names[0]), claim(names[1]), claim(names[2]), claim(names[3]))
		a, err := b.DataFolder(b.view(), "default", name, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := Restore(a, bytes.NewReader(oneFile(t, "of", name)), free); err != nil {
			t.Fatal(err)
		}
	}
	again, err := b.DataFolder(b.view(), "default", "db", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := Restore(again, bytes.NewReader(oneFile(t, "of", "db")), free); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if data, err := os.ReadFile(filepath.Join(b.root, "volumes", "default_"+name, "of")); err != nil || string(data) != name {
			t.Errorf("claim %s has %q, %v", name, data, err)
		}
	}
}

// What is there stays when an archive is torn, none, or not to be had, and when a pod has come meanwhile.
func TestRestoreKeepsWhatIsThere(t *testing.T) {
	a := executor.ClaimFolder{Folder: filepath.Join(t.TempDir(), "volumes", "default_db"), Size: 1 << 20}
	a.Dir = filepath.Dir(a.Folder)
	if err := Restore(a, bytes.NewReader(oneFile(t, "row", "old")), free); err != nil {
		t.Fatal(err)
	}
	archive := oneFile(t, "row", strings.Repeat("new", 1000))
	busy := errors.New("a pod has come")
	for name, tc := range map[string]struct {
		in    []byte
		check func() error
		want  error
	}{
		"torn in a file":    {archive[:2000], free, io.ErrUnexpectedEOF},
		"torn after a file": {archive[:len(archive)-1024], free, io.ErrUnexpectedEOF},
		"empty":             {nil, free, io.ErrUnexpectedEOF},
		"no archive":        {bytes.Repeat([]byte("text "), 500), free, tar.ErrHeader},
		"a pod has come":    {archive, func() error { return busy }, busy},
	} {
		if err := Restore(a, bytes.NewReader(tc.in), tc.check); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if data, err := os.ReadFile(filepath.Join(a.Folder, "row")); err != nil || string(data) != "old" {
			t.Errorf("%s: there is %q, %v", name, data, err)
		}
		if list, err := os.ReadDir(a.Dir); err != nil || len(list) != 1 {
			t.Errorf("%s: left %v, %v", name, list, err)
		}
	}
}
