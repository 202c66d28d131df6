package images

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"podd/images/imagetest"
)

func hello(name, text string) imagetest.Image {
	return imagetest.Image{
		Names:  []string{name},
		Config: imagetest.Config{Cmd: []string{"/hello"}, Env: []string{"A=b"}, Volumes: map[string]struct{}{"/v": {}, "/a": {}}},
		Layers: []imagetest.Layer{
			{Files: []imagetest.File{imagetest.Dir("./"), imagetest.Dir("etc/"), imagetest.Regular("etc/base", "base")}},
			{Files: []imagetest.File{imagetest.Dir("./"), imagetest.Dir("etc/"), imagetest.Regular("etc/text", text)}},
		},
	}
}

// archiveForms is every way in which one image can be brought.
func archiveForms(t *testing.T, i imagetest.Image) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{}
	for _, layers := range []string{"", "gzip", "zstd"} {
		i.Compress = layers
		forms["docker/"+layers] = dockerArchive(t, i)
		forms["oci/"+layers] = ociArchive(t, i)
	}
	for _, whole := range []string{"gzip", "zstd"} {
		for _, kind := range []string{"docker/", "oci/gzip"} {
			forms[kind+" in "+whole] = must(t, func() ([]byte, error) { return imagetest.Compress(forms[kind], whole) })
		}
	}
	return forms
}

func TestLoadEveryForm(t *testing.T) {
	i := hello("hello:1", "world")
	id := must(t, i.ID)
	for form, data := range archiveForms(t, i) {
		for way, load := range map[string]func(s *Store) ([]Image, error){
			"stream": func(s *Store) ([]Image, error) {
				return s.Load(context.Background(), bytes.NewReader(data), LoadOptions{})
			},
			"file": func(s *Store) ([]Image, error) {
				return s.LoadPath(context.Background(), writeFile(t, t.TempDir(), "a.tar", data), LoadOptions{})
			},
		} {
			t.Run(form+" as "+way, func(t *testing.T) {
				s := openStore(t, Options{})
				imgs, err := load(s)
				if err != nil {
					t.Fatal(err)
				}
				checkHello(t, s, imgs, id)
			})
		}
	}
}

func checkHello(t *testing.T, s *Store, imgs []Image, id string) {
	t.Helper()
	if len(imgs) != 1 || imgs[0].ID != id || !slices.Equal(imgs[0].Names, []string{"docker.io/library/hello:1"}) {
		t.Fatalf("loaded %+v, want one image %s", imgs, id)
	}
	again := must(t, func() (*Store, error) { return Open(s.root, Options{}) })
	for _, ref := range []string{"hello:1", "docker.io/library/hello:1", id, id[7:], id[7:15], id[:15]} {
		img, err := again.Get(ref)
		if err != nil || img.ID != id {
			t.Errorf("Get(%q) = %s, %v", ref, img.ID, err)
		}
	}
	img := again.List()[0]
	if !slices.Equal(img.Config.Cmd, []string{"/hello"}) || !slices.Equal(img.Config.Volumes, []string{"/a", "/v"}) {
		t.Errorf("config is %+v", img.Config)
	}
	if !img.Created.Equal(imagetest.Epoch) || img.Size != int64(len("base")+len("world")) {
		t.Errorf("created %v, size %d", img.Created, img.Size)
	}
	for i, want := range []string{"etc/base", "etc/text"} {
		if _, err := os.Stat(filepath.Join(img.Layers[i], want)); err != nil {
			t.Errorf("layer %d: %v", i, err)
		}
	}
	if left := leftovers(t, s, "tmp"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLoadFolder(t *testing.T) {
	i := hello("hello:1", "world")
	dir := t.TempDir()
	if err := imagetest.OCIFolder(dir, i); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, Options{})
	imgs, err := s.LoadPath(context.Background(), dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checkHello(t, s, imgs, must(t, i.ID))
	if imgs[0].Digest == "" {
		t.Error("an OCI layout tells the manifest's digest")
	}
	if img, err := s.Get("hello@" + imgs[0].Digest); err != nil || img.ID != imgs[0].ID {
		t.Errorf("by digest: %v, %v", img.ID, err)
	}
	if _, err := s.Get("other@" + imgs[0].Digest); !errors.Is(err, ErrNotFound) {
		t.Errorf("by another repository's digest: %v", err)
	}
}

func TestLayersAreShared(t *testing.T) {
	s := openStore(t, Options{})
	loadBytes(t, s, dockerArchive(t, hello("a", "one"), hello("b", "two")))
	a, b := must(t, func() (Image, error) { return s.Get("a") }), must(t, func() (Image, error) { return s.Get("b") })
	if a.Layers[0] != b.Layers[0] || a.Layers[1] == b.Layers[1] {
		t.Fatalf("layers %v and %v", a.Layers, b.Layers)
	}
	if got := leftovers(t, s, "l"); len(got) != 3 {
		t.Fatalf("the store has %v", got)
	}
	gone, err := s.Remove("a", nil)
	if err != nil || !slices.Equal(gone, []string{"docker.io/library/a:latest", a.ID}) {
		t.Fatalf("Remove: %v, %v", gone, err)
	}
	if got := leftovers(t, s, "l", "i", "tmp"); len(got) != 3 {
		t.Fatalf("after Remove the store has %v", got)
	}
	if _, err := os.Stat(b.Layers[0]); err != nil {
		t.Fatal("the shared layer went with the first image")
	}
}

func TestRemove(t *testing.T) {
	s := openStore(t, Options{})
	i := hello("a:1", "x")
	i.Names = []string{"a:1", "a:2"}
	img := loadBytes(t, s, dockerArchive(t, i))[0]
	busy := func(id string) bool { return id == img.ID }
	if gone, err := s.Remove("a:1", busy); err != nil || !slices.Equal(gone, []string{"docker.io/library/a:1"}) {
		t.Fatalf("a name of two: %v, %v", gone, err)
	}
	if _, err := s.Remove("a:2", busy); !errors.Is(err, ErrInUse) {
		t.Fatalf("the last name of an image in use: %v", err)
	}
	if _, err := s.Remove(img.ID, busy); !errors.Is(err, ErrInUse) {
		t.Fatalf("an image in use: %v", err)
	}
	if _, err := s.Remove("a:1", nil); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a name that is gone: %v", err)
	}
	if _, err := s.Remove(img.ID[7:19], nil); err != nil {
		t.Fatal(err)
	}
	if got := leftovers(t, s, "l", "i", "tmp"); len(got) != 0 || len(s.List()) != 0 {
		t.Fatalf("left: %v, %v", got, s.List())
	}
}

func TestNewImageTakesTheName(t *testing.T) {
	s := openStore(t, Options{})
	old := loadBytes(t, s, dockerArchive(t, hello("a", "old")))[0]
	gen := s.Generation()
	young := loadBytes(t, s, dockerArchive(t, hello("a", "new")))[0]
	if s.Generation() == gen {
		t.Error("the generation did not change")
	}
	if img, err := s.Get("a"); err != nil || img.ID != young.ID {
		t.Fatalf("a is %s, %v", img.ID, err)
	}
	if img, err := s.Get(old.ID); err != nil || len(img.Names) != 0 {
		t.Fatalf("the old image has the names %v, %v", img.Names, err)
	}
	if gone, err := s.Prune(func(string) bool { return true }); err != nil || len(gone) != 0 {
		t.Fatalf("Prune of an image in use: %v, %v", gone, err)
	}
	if gone, err := s.Prune(nil); err != nil || !slices.Equal(gone, []string{old.ID}) {
		t.Fatalf("Prune: %v, %v", gone, err)
	}
	if got := leftovers(t, s, "l"); len(got) != 2 {
		t.Fatalf("layers: %v", got)
	}
	again := must(t, func() (*Store, error) { return Open(s.root, Options{}) })
	if img, err := again.Get("a"); err != nil || img.ID != young.ID {
		t.Fatalf("opened again, a is %s, %v", img.ID, err)
	}
}

func TestTwoStoresSeeEachOther(t *testing.T) {
	a := openStore(t, Options{})
	b := must(t, func() (*Store, error) { return Open(a.root, Options{}) })
	loadBytes(t, a, dockerArchive(t, hello("x", "1")))
	if _, err := b.Get("x"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before Refresh: %v", err)
	}
	gen := b.Generation()
	if err := b.Refresh(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get("x"); err != nil || b.Generation() == gen {
		t.Fatalf("after Refresh: %v, generation %d", err, gen)
	}
	if _, err := b.Remove("x", nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Refresh(); err != nil {
		t.Fatal(err)
	}
	if len(a.List()) != 0 {
		t.Fatal("the other store's removal is not seen")
	}
}
