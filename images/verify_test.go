package images

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/images/imagetest"
	"podd/images/layer"
)

// damage changes a file of an image behind the store's back.
func damage(t *testing.T, img Image, name string) string {
	t.Helper()
	for _, dir := range img.Layers {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			if err := os.WriteFile(path, nil, 0); err != nil {
				t.Fatal(err)
			}
			return dir
		}
	}
	t.Fatalf("no %s", name)
	return ""
}

func verifyAll(t *testing.T, s *Store, repair bool, sources ...LayerSource) (out []Verified) {
	t.Helper()
	err := s.Verify(t.Context(), VerifyOptions{Repair: repair, Sources: sources, Report: func(v Verified) { out = append(out, v) }})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A damaged file is found, its image runs no more, and the file alone comes again from the archive in the folder.
func TestVerifyMendsFromTheFolder(t *testing.T) {
	needRoot(t)
	for _, form := range []string{"oci", "docker", "folder"} {
		t.Run(form, func(t *testing.T) {
			var warned []string
			s := openStore(t, Options{Warn: func(err error) { warned = append(warned, err.Error()) }})
			dir := t.TempDir()
			i := hello("hello:1", "world")
			i.Compress = "gzip"
			switch form {
			case "oci":
				writeFile(t, dir, "a.tar", ociArchive(t, i))
			case "docker":
				writeFile(t, dir, "a.tar", dockerArchive(t, i))
			case "folder":
				if err := errors.Join(os.Mkdir(dir+"/layout", 0o700), imagetest.OCIFolder(dir+"/layout", i)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.ImportFolder(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			img := must(t, func() (Image, error) { return s.Get("hello:1") })
			if list := verifyAll(t, s, false); len(list) != 2 || list[0].Differences != nil || list[0].Err != nil {
				t.Fatalf("of a whole image: %+v", list)
			}
			path := filepath.Join(damage(t, img, "etc/text"), "etc/text")
			list := verifyAll(t, s, false)
			if d := list[1].Differences; len(d) != 1 || d[0].Path != "etc/text" || d[0].Problem != layer.Content || list[1].Mended || list[1].Images[0] != "docker.io/library/hello:1" {
				t.Fatalf("%+v", list)
			}
			if _, err := s.Get("hello:1"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "has damaged files in its layer") {
				t.Errorf("a damaged image: %v", err)
			}
			if len(warned) != 1 || !strings.Contains(warned[0], "of image docker.io/library/hello:1 was set aside: 1 files differ, etc/text for one") {
				t.Errorf("warned %q", warned)
			}
			if list := verifyAll(t, s, true); len(list) != 2 || !list[1].Mended || list[1].Err != nil {
				t.Fatalf("repaired: %+v", list)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != "world" {
				t.Errorf("%q, %v", data, err)
			}
			if again, err := s.Get("hello:1"); err != nil || again.Layers[1] != img.Layers[1] {
				t.Errorf("it is in %v, %v", again.Layers, err)
			}
			if list := verifyAll(t, s, false); len(list[0].Differences)+len(list[1].Differences) > 0 {
				t.Errorf("after that: %+v", list)
			}
		})
	}
}

// Without an archive to mend from, the layer comes again as a whole with the next archive that has it, for all images that
// share it, and what was damaged goes.
func TestTornLayerComesAgain(t *testing.T) {
	needRoot(t)
	s := openStore(t, Options{})
	loadBytes(t, s, ociArchive(t, hello("a", "one"), hello("b", "two")))
	a := must(t, func() (Image, error) { return s.Get("a") })
	damage(t, a, "etc/base")
	list := verifyAll(t, s, true)
	if !errors.Is(list[0].Err, layer.ErrNoSource) || list[0].Mended {
		t.Fatalf("%+v", list)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := s.Get(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := must(t, func() (*Store, error) { return Open(s.root, Options{}) })
	if _, err := again.Get("b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("opened again: %v", err)
	}
	loadBytes(t, again, ociArchive(t, hello("c", "one")))
	for _, name := range []string{"a", "b", "c"} {
		img, err := again.Get(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if data, err := os.ReadFile(filepath.Join(img.Layers[0], "etc/base")); err != nil || string(data) != "base" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if left := leftovers(t, again, "l", "d"); len(left) != 6 {
		t.Errorf("left: %v", left)
	}
	if list := verifyAll(t, again, false); len(list) != 3 || list[0].Err != nil {
		t.Errorf("%+v", list)
	}
}

// A registry is asked after the folder.
func TestVerifyAsksOtherSources(t *testing.T) {
	needRoot(t)
	s := openStore(t, Options{})
	i := hello("a", "one")
	img := loadBytes(t, s, ociArchive(t, i))[0]
	damage(t, img, "etc/base")
	tar := must(t, i.Layers[0].Tar)
	dir := t.TempDir()
	asked := ""
	list := verifyAll(t, s, true, func(_ context.Context, img Image, diffID, _ string) (io.ReadCloser, error) {
		asked = img.Names[0] + " " + diffID
		return os.Open(writeFile(t, dir, "layer", tar))
	})
	if !list[0].Mended || asked != "docker.io/library/a:latest "+imagetest.Digest(tar) {
		t.Errorf("asked for %q: %+v", asked, list)
	}
}

// After a boot that came without warning all layers are looked at before anything runs; after a restart of podd, or an end in
// order, none is.
func TestCheckAfterBoot(t *testing.T) {
	needRoot(t)
	var warned []error
	open := func(root, boot string) *Store {
		warned = nil
		return must(t, func() (*Store, error) {
			return Open(root, Options{Boot: boot, Warn: func(err error) { warned = append(warned, err) }})
		})
	}
	s := open(filepath.Join(t.TempDir(), "store"), "boot 1")
	img := loadBytes(t, s, ociArchive(t, hello("a", "one")))[0]
	damage(t, img, "etc/text") // as a disk that lies about its cache does
	if _, err := open(s.root, "boot 1").Get("a"); err != nil || len(warned) > 0 {
		t.Errorf("in the same boot: %v, %v", err, warned)
	}
	if err := s.CloseClean(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(s.root, "boot 2").Get("a"); err != nil || len(warned) > 0 {
		t.Errorf("after an end in order: %v, %v", err, warned)
	}
	if _, err := open(s.root, "boot 3").Get("a"); !errors.Is(err, ErrNotFound) || len(warned) != 1 || !strings.Contains(warned[0].Error(), "its files are not what they were") {
		t.Errorf("after a power cut: %v, %v", err, warned)
	}
	dir := t.TempDir()
	writeFile(t, dir, "a.tar", ociArchive(t, hello("a", "one")))
	s = open(s.root, "boot 3")
	if _, err := s.ImportFolder(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("a"); err != nil {
		t.Errorf("with its archive in the folder: %v", err)
	}
}

// A store of before has no ledgers and no shapes: it works, and says that it cannot be verified.
func TestStoreWithoutLedgers(t *testing.T) {
	needRoot(t)
	s := openStore(t, Options{})
	loadBytes(t, s, ociArchive(t, hello("a", "one")))
	if err := os.RemoveAll(s.dir("d")); err != nil {
		t.Fatal(err)
	}
	old := must(t, func() (*Store, error) { return Open(s.root, Options{Boot: "x"}) })
	if _, err := old.Get("a"); err != nil {
		t.Error(err)
	}
	if list := verifyAll(t, old, true); len(list) != 2 || !strings.Contains(list[0].Err.Error(), "nobody has kept its digests") {
		t.Errorf("%+v", list)
	}
}
