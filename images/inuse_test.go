package images

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Layers that somebody uses stay without any record of their image, also while nobody can tell which are used; what nobody
// uses goes.
func TestLayersInUseStay(t *testing.T) {
	s := openStore(t, Options{})
	img := loadBytes(t, s, dockerArchive(t, hello("a", "1")))[0]
	used := map[string]bool{filepath.Base(img.Layers[0]): true}
	if err := os.WriteFile(s.records().recordFile(img.ID), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	there := func() (list []bool) {
		for _, layer := range img.Layers {
			_, err := os.Stat(layer)
			list = append(list, err == nil)
		}
		return list
	}
	warned := 0
	o := Options{Warn: func(error) { warned++ }, InUse: func() (map[string]bool, error) { return nil, errors.New("nobody knows") }}
	if _, err := Open(s.root, o); err != nil || warned != 2 {
		t.Errorf("%v, told %d times of a damaged record and of layers that cannot be judged", err, warned)
	}
	if got := there(); !got[0] || !got[1] {
		t.Errorf("nobody knows which layers are used; there are %v", got)
	}
	o.InUse = func() (map[string]bool, error) { return used, nil }
	if _, err := Open(s.root, o); err != nil {
		t.Fatal(err)
	}
	if got := there(); !got[0] || got[1] {
		t.Errorf("the first layer is used; there are %v", got)
	}
	if warned != 2 {
		t.Errorf("told %d times", warned)
	}
	// What is lost is imported again, beside what is used.
	again := loadBytes(t, s, dockerArchive(t, hello("a", "1")))[0]
	if _, err := s.Get("a"); err != nil || again.Layers[0] == img.Layers[0] {
		t.Errorf("%v, layers %v", err, again.Layers)
	}
}

// What the store has lost comes again from the folder of archives; what somebody has removed does not.
func TestImportFolderAgain(t *testing.T) {
	s, dir := openStore(t, Options{}), t.TempDir()
	writeFile(t, dir, "a.tar", dockerArchive(t, hello("a", "1")))
	img := importFolder(t, s, dir)[0].Images[0]
	for what, lose := range map[string]func() error{
		"record": func() error { return os.Remove(s.records().recordFile(img.ID)) },
		"layer":  func() error { return os.RemoveAll(img.Layers[1]) },
	} {
		if err := errors.Join(lose(), s.Recheck()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get("a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("without its %s: %v", what, err)
		}
		if r := importFolder(t, s, dir)[0]; !r.New || r.Err != nil {
			t.Errorf("without its %s: %+v", what, r)
		}
		var err error
		if img, err = s.Get("a"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Remove("a", nil); err != nil {
		t.Fatal(err)
	}
	if r := importFolder(t, s, dir)[0]; r.New {
		t.Errorf("it was removed, and is imported again: %+v", r)
	}
}

// What stands in the place of a folder of the store is set aside, and the images come again.
func TestFolderOfTheStoreIsNone(t *testing.T) {
	for _, name := range []string{"i", "l", "tmp"} {
		for what, put := range map[string]func(path string) error{
			"nothing": func(string) error { return nil },
			"file":    func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
			"FIFO":    func(path string) error { return unix.Mkfifo(path, 0o600) },
			"link":    func(path string) error { return os.Symlink("/nowhere", path) },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				var warned []string
				s, dir := openStore(t, Options{Warn: func(err error) { warned = append(warned, err.Error()) }}), t.TempDir()
				writeFile(t, dir, "a.tar", dockerArchive(t, hello("a", "1")))
				importFolder(t, s, dir)
				path := s.dir(name)
				if err := errors.Join(os.RemoveAll(path), put(path)); err != nil {
					t.Fatal(err)
				}
				if err := s.Recheck(); err != nil {
					t.Fatal(err)
				}
				importFolder(t, s, dir)
				img, err := s.Get("a")
				if err != nil {
					t.Fatal(err)
				}
				for _, layer := range img.Layers {
					if _, err := os.Stat(layer); err != nil {
						t.Error(err)
					}
				}
				told := strings.Contains(strings.Join(warned, "\n"), path+" is damaged: it is not a folder")
				if told != (what != "nothing") {
					t.Errorf("told %q", warned)
				}
			})
		}
	}
}

// An archive that was read while somebody removed the store is not to blame, and is read again.
func TestStoreRemovedDuringImport(t *testing.T) {
	s := openStore(t, Options{})
	data := dockerArchive(t, hello("a", "1"))
	_, err := s.Load(t.Context(), &removing{bytes.NewReader(data), s.root}, LoadOptions{})
	if err == nil || isFinal(err) || !strings.Contains(err.Error(), "somebody has removed the image store") {
		t.Errorf("%v", err)
	}
	if err := s.Recheck(); err != nil {
		t.Fatal(err)
	}
	loadBytes(t, s, data)
}

// removing removes the store when it is read to the end.
type removing struct {
	io.Reader
	root string
}

func (r *removing) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p[:min(len(p), 512)])
	return n, errors.Join(err, os.RemoveAll(r.root))
}
