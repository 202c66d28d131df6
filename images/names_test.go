package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"podd/images/imagetest"
)

// withAnnotations makes an OCI archive of one image whose entry in index.json has these annotations.
func withAnnotations(t *testing.T, annotations map[string]string) []byte {
	t.Helper()
	img := hello("", "x")
	img.Names = nil
	files := must(t, func() (map[string][]byte, error) { return imagetest.OCIFiles(img) })
	var index map[string]any
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	list, _ := index["manifests"].([]any)
	entry, _ := list[0].(map[string]any)
	entry["annotations"] = annotations
	files["index.json"] = must(t, func() ([]byte, error) { return json.Marshal(index) })
	return must(t, func() ([]byte, error) { return imagetest.TarOf(files) })
}

func TestNamesOfOCILayouts(t *testing.T) {
	const whole, ref = "io.containerd.image.name", "org.opencontainers.image.ref.name"
	for _, c := range []struct {
		annotations map[string]string
		want        []string
	}{
		{map[string]string{whole: "docker.io/library/a:1", ref: "1"}, []string{"docker.io/library/a:1"}}, // BuildKit, ctr
		{map[string]string{ref: "quay.io/b/c:2"}, []string{"quay.io/b/c:2"}},                             // podman save, skopeo
		{map[string]string{ref: "busybox"}, []string{"docker.io/library/busybox:latest"}},
		{map[string]string{ref: "latest"}, nil},
		{map[string]string{ref: "1.36"}, nil},
		{map[string]string{ref: "v2"}, nil},
		{nil, nil},
	} {
		s := openStore(t, Options{})
		img := loadBytes(t, s, withAnnotations(t, c.annotations))[0]
		if !slices.Equal(img.Names, c.want) {
			t.Errorf("%v gives the names %q, want %q", c.annotations, img.Names, c.want)
		}
		if _, err := s.Get(img.ID); err != nil {
			t.Errorf("%v: %v", c.annotations, err)
		}
	}
}

func TestLoadWithAName(t *testing.T) {
	load := func(data []byte, name string) ([]Image, error) {
		return openStore(t, Options{}).Load(context.Background(), bytes.NewReader(data), LoadOptions{Name: name})
	}
	imgs, err := load(withAnnotations(t, nil), "mine:3")
	if err != nil || !slices.Equal(imgs[0].Names, []string{"docker.io/library/mine:3"}) {
		t.Errorf("%+v, %v", imgs, err)
	}
	if imgs, err := load(dockerArchive(t, hello("a", "1"), hello("b", "2")), "mine"); err == nil || !strings.Contains(err.Error(), "2 images") {
		t.Errorf("one name for two images: %+v, %v", imgs, err)
	}
	if imgs, err := load(withAnnotations(t, nil), "Mine"); !errors.Is(err, ErrBadName) {
		t.Errorf("a bad name: %+v, %v", imgs, err)
	}
}

// TestOldDockerArchive: Docker before 25 has a folder a layer, and a link where a layer comes twice.
func TestOldDockerArchive(t *testing.T) {
	layer := must(t, func() ([]byte, error) { return imagetest.Tar(imagetest.Regular("x", "x")) })
	diff := imagetest.Digest(layer)
	config := must(t, func() ([]byte, error) {
		return json.Marshal(map[string]any{"os": "linux", "rootfs": map[string]any{"diff_ids": []string{diff, diff}}})
	})
	manifest := must(t, func() ([]byte, error) {
		return json.Marshal([]any{map[string]any{"Config": "c.json", "Layers": []string{"1/layer.tar", "2/layer.tar"}, "RepoTags": []string{"old:1"}}})
	})
	data := must(t, func() ([]byte, error) {
		return imagetest.Tar(
			imagetest.Dir("1/"), imagetest.Regular("1/VERSION", "1.0"), imagetest.Regular("1/json", "{}"),
			imagetest.File{Header: tar.Header{Name: "2/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../1/layer.tar"}},
			imagetest.Regular("1/layer.tar", string(layer)), imagetest.Regular("c.json", string(config)),
			imagetest.Regular("manifest.json", string(manifest)), imagetest.Regular("repositories", "{}"),
		)
	})
	for way, load := range map[string]func(s *Store) ([]Image, error){
		"stream": func(s *Store) ([]Image, error) {
			return s.Load(context.Background(), bytes.NewReader(data), LoadOptions{})
		},
		"file": func(s *Store) ([]Image, error) {
			return s.LoadPath(context.Background(), writeFile(t, t.TempDir(), "a", data), LoadOptions{})
		},
	} {
		s := openStore(t, Options{})
		imgs, err := load(s)
		if err != nil || len(imgs) != 1 || len(imgs[0].Layers) != 1 || len(leftovers(t, s, "l")) != 1 {
			t.Errorf("%s: %+v, %v", way, imgs, err)
		}
	}
}

func TestGetSaysWhatIsWrong(t *testing.T) {
	s := openStore(t, Options{})
	loadBytes(t, s, dockerArchive(t, hello("a", "1")))
	for ref, kind := range map[string]error{
		"b": ErrNotFound, "a:2": ErrNotFound, "sha256:" + someHex: ErrNotFound, "sha256:12": ErrNotFound, someHex: ErrNotFound,
		"A": ErrBadName, "": ErrBadName, "a@sha256:" + someHex: ErrNotFound,
	} {
		if img, err := s.Get(ref); !errors.Is(err, kind) {
			t.Errorf("Get(%q) = %v, %v; want %v", ref, img.Names, err, kind)
		}
	}
}

func TestReloadReadsNothingTwice(t *testing.T) {
	for _, compress := range []string{"", "gzip"} {
		img := hello("a", "1")
		img.Compress = compress
		s := openStore(t, Options{})
		first := loadBytes(t, s, ociArchive(t, img))[0]
		img.Names = []string{"b"}
		second := loadBytes(t, s, ociArchive(t, img))[0]
		want := []string{"docker.io/library/a:latest", "docker.io/library/b:latest"}
		if second.ID != first.ID || !slices.Equal(second.Names, want) || !slices.Equal(second.Layers, first.Layers) {
			t.Errorf("%q: %+v after %+v", compress, second, first)
		}
	}
}

// dockerSave makes what docker save has written since 25: an OCI layout with an entry a tag, and beside it the lists of before.
func dockerSave(t *testing.T, list ...imagetest.Image) []byte {
	t.Helper()
	all := map[string][]byte{"repositories": []byte(`{"a":{"1":"0","latest":"0"}}`)}
	var entries, old []any
	for _, img := range list {
		names := img.Names
		img.Names = nil
		files := must(t, func() (map[string][]byte, error) { return imagetest.OCIFiles(img) })
		for name, data := range files {
			all[name] = data
		}
		var index struct {
			Manifests []struct {
				MediaType, Digest string
				Size              int
			}
		}
		var m struct {
			Config struct{ Digest string }
			Layers []struct{ Digest string }
		}
		if err := json.Unmarshal(files["index.json"], &index); err != nil {
			t.Fatal(err)
		}
		blob := func(digest string) string { return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:") }
		at := index.Manifests[0]
		if err := json.Unmarshal(files[blob(at.Digest)], &m); err != nil {
			t.Fatal(err)
		}
		var layers []string
		for _, l := range m.Layers {
			layers = append(layers, blob(l.Digest))
		}
		old = append(old, map[string]any{"Config": blob(m.Config.Digest), "RepoTags": names, "Layers": layers, "LayerSources": map[string]any{}})
		entry := map[string]any{"mediaType": at.MediaType, "digest": at.Digest, "size": at.Size}
		if len(names) == 0 {
			entries = append(entries, entry)
		}
		for _, name := range names {
			_, tag, _ := strings.Cut(name, ":")
			entries = append(entries, map[string]any{"mediaType": at.MediaType, "digest": at.Digest, "size": at.Size, "annotations": map[string]string{
				"io.containerd.image.name": "docker.io/library/" + name, "org.opencontainers.image.ref.name": tag,
			}})
		}
	}
	all["index.json"] = must(t, func() ([]byte, error) {
		return json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries})
	})
	all["manifest.json"] = must(t, func() ([]byte, error) { return json.Marshal(old) })
	return must(t, func() ([]byte, error) { return imagetest.TarOf(all) })
}

// Several images with several tags each, and one without, come out of one docker save of either kind with all that they are
// called.
func TestDockerArchivesOfSeveralImages(t *testing.T) {
	needRoot(t)
	a, b, c := hello("", "a"), hello("", "b"), hello("", "c")
	a.Names, b.Names, c.Names = []string{"a:1", "a:latest"}, []string{"b:1"}, nil
	want := map[string]string{}
	for _, img := range []imagetest.Image{a, b, c} {
		names := slices.Clone(img.Names)
		for i := range names {
			names[i] = "docker.io/library/" + names[i]
		}
		img.Names = nil
		want[must(t, img.ID)] = strings.Join(names, " ")
	}
	for kind, data := range map[string][]byte{"since 25": dockerSave(t, a, b, c), "before 25": dockerArchive(t, a, b, c)} {
		s := openStore(t, Options{})
		loadBytes(t, s, data)
		got := map[string]string{}
		for _, img := range s.List() {
			got[img.ID] = strings.Join(img.Names, " ")
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: there are %v, and not %v", kind, got, want)
		}
		if layers := leftovers(t, s, "l"); len(layers) != 4 { // the lowest is the same in all
			t.Errorf("%s: layers %v", kind, layers)
		}
	}
}
