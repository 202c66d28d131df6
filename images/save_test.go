package images

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podd/images/imagetest"
)

func save(t *testing.T, s *Store, refs ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.Save(t.Context(), &out, refs); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is saved is the same image again, whatever its layers were compressed with: by its ID, its names and its files.
func TestSaveAndLoad(t *testing.T) {
	needRoot(t)
	s := openStore(t, Options{})
	one, two := hello("a:1", "one"), hello("b:1", "two")
	one.Compress, one.Names = "gzip", []string{"a:1", "a:2"}
	two.Layers[0].Files = append(two.Layers[0].Files, imagetest.File{Header: tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}})
	two.Layers[1].Files = append(two.Layers[1].Files, imagetest.Regular("tmp/x", "makes a fix-up layer"))
	loadBytes(t, s, dockerArchive(t, one))
	loadBytes(t, s, dockerArchive(t, two))
	archive := save(t, s, "a:1", "b:1")
	if again := save(t, s, "a:1", "b:1"); !bytes.Equal(archive, again) {
		t.Error("the same images make another archive")
	}
	other := openStore(t, Options{})
	for _, img := range loadBytes(t, other, archive) {
		was := must(t, func() (Image, error) { return s.Get(img.ID) })
		for i := range img.Layers {
			if got, want := imagetest.DescribeTree(t, img.Layers[i]), imagetest.DescribeTree(t, was.Layers[i]); got != want {
				t.Errorf("%v, layer %d:\n%s\nwant:\n%s", img.Names, i, got, want)
			}
		}
	}
	var names []string
	for _, img := range other.List() {
		names = append(names, img.Names...)
	}
	if got := short(names); got != "a:1 b:1" {
		t.Errorf("names %q", got)
	}
	if got := loadBytes(t, openStore(t, Options{}), save(t, s, must(t, func() (Image, error) { return s.Get("a:1") }).ID)); len(got[0].Names) == 0 {
		t.Errorf("saved by ID it has lost its names: %+v", got)
	}
	damage(t, must(t, func() (Image, error) { return s.Get("a:1") }), "etc/text")
	if err := s.Save(t.Context(), io.Discard, []string{"a:1"}); err == nil || !strings.Contains(err.Error(), "etc/text has 0 bytes instead of 3") {
		t.Errorf("of a damaged image: %v", err)
	}
}

// skopeo, which has podman's code, reads the archive as either kind.
func TestSkopeoReadsWhatIsSaved(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip(err)
	}
	s := openStore(t, Options{})
	i := hello("example.org/a:1", "one")
	img := loadBytes(t, s, ociArchive(t, i))[0]
	id := img.ID // converting docker's form makes another configuration of the same layers
	dir := t.TempDir()
	file := writeFile(t, dir, "saved.tar", save(t, s, "example.org/a:1"))
	policy := writeFile(t, dir, "policy.json", []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`))
	for _, source := range []string{"oci-archive:" + file + ":example.org/a:1", "docker-archive:" + file} {
		to := filepath.Join(dir, "layout-"+source[:3])
		if out, err := exec.Command("skopeo", "--policy", policy, "copy", source, "oci:"+to+":example.org/a:1").CombinedOutput(); err != nil {
			t.Errorf("%s: %v, %s", source, err, out)
			continue
		}
		back := openStore(t, Options{})
		imgs, err := back.LoadPath(t.Context(), to, LoadOptions{})
		if err != nil || len(imgs) != 1 || imgs[0].ID != id && source[:3] == "oci" || !slices.Equal(imgs[0].LayerDirs(), img.LayerDirs()) {
			t.Errorf("%s: %+v, %v", source, imgs, err)
		}
	}
}

func TestTag(t *testing.T) {
	needRoot(t)
	s := openStore(t, Options{})
	a := loadBytes(t, s, ociArchive(t, hello("a:1", "one")))[0]
	b := loadBytes(t, s, ociArchive(t, hello("b:1", "two")))[0]
	if full, err := s.Tag("a:1", "c"); err != nil || full != "docker.io/library/c:latest" {
		t.Fatal(full, err)
	}
	if _, err := s.Tag(b.ID, "a:1"); err != nil { // the other one loses it
		t.Fatal(err)
	}
	again := must(t, func() (*Store, error) { return Open(s.root, Options{}) })
	for name, want := range map[string]string{"a:1": b.ID, "b:1": b.ID, "c": a.ID} {
		if img, err := again.Get(name); err != nil || img.ID != want {
			t.Errorf("%s is %s, %v", name, img.ID, err)
		}
	}
	for ref, name := range map[string]string{"nothing": "x", "c": "Not/A/Name"} {
		if _, err := s.Tag(ref, name); err == nil {
			t.Errorf("%s as %s", ref, name)
		}
	}
	if entries, err := os.ReadDir(s.dir("i")); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}
