package images

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"podd/images/archive"
	"podd/images/imagetest"
	"podd/images/registry"
	"podd/images/registry/registrytest"
)

// pullFrom pulls host/rest into a store.
func pullFrom(s *Store, c *registry.Client, host, rest string) (Image, error) {
	ref, err := registry.ParseReference(host + "/" + rest)
	if err != nil {
		return Image{}, err
	}
	remote, err := c.Open(context.Background(), ref, nil, false)
	if err != nil {
		return Image{}, err
	}
	defer remote.Close()
	root := archive.Descriptor{MediaType: remote.MediaType, Digest: remote.Digest, Size: int64(len(remote.Manifest))}
	return s.Pull(context.Background(), remote, root, PullOptions{Name: ref.String(), Parallel: 1})
}

func impatient() *registry.Client {
	return &registry.Client{Patience: registry.Patience{First: 1, Most: 1000}}
}

// layersOf makes an image of n layers with one file each.
func layersOf(n int, compress string) imagetest.Image {
	img := imagetest.Image{Compress: compress}
	for i := range n {
		name := "file" + strings.Repeat("x", i)
		img.Layers = append(img.Layers, imagetest.Layer{Files: []imagetest.File{imagetest.Regular(name, strings.Repeat(name, 100_000))}})
	}
	return img
}

func TestPullIsWhatAnArchiveGives(t *testing.T) {
	needRoot(t)
	for _, compress := range []string{"", "gzip", "zstd"} {
		reg := registrytest.New()
		img := layersOf(7, compress)
		reg.Add(t, "app", "v1", img)
		host := reg.Start(t)
		pulled := openStore(t, Options{})
		got, err := pullFrom(pulled, impatient(), host, "app:v1")
		if err != nil {
			t.Fatal(err)
		}
		img.Names = []string{host + "/app:v1"}
		loaded := loadBytes(t, openStore(t, Options{}), ociArchive(t, img))[0]
		if got.ID != loaded.ID || len(got.Layers) != len(loaded.Layers) {
			t.Fatalf("pulled %+v, loaded %+v", got, loaded)
		}
		for i := range got.Layers {
			if a, b := imagetest.DescribeTree(t, got.Layers[i]), imagetest.DescribeTree(t, loaded.Layers[i]); a != b {
				t.Errorf("layer %d differs:\n%s\n%s", i, a, b)
			}
		}
		if found, err := pulled.Get(host + "/app:v1"); err != nil || found.ID != got.ID || found.Digest == "" {
			t.Errorf("the store does not find it: %+v, %v", found, err)
		}
	}
}

func TestPullTakesThePlatformThatFits(t *testing.T) {
	needRoot(t)
	v6, v7 := layersOf(1, ""), layersOf(2, "")
	v6.Names, v6.Architecture, v6.Variant = []string{"x:1"}, "arm", "v6"
	v7.Names, v7.Architecture, v7.Variant = []string{"x:1"}, "arm", "v7"
	reg := registrytest.New()
	reg.Add(t, "app", "v1", v6, v7)
	host := reg.Start(t)
	for want, layers := range map[string]int{"linux/arm/v6": 1, "linux/arm/v7": 2, "linux/arm64": 2} {
		got, err := pullFrom(openStore(t, Options{Platform: want}), impatient(), host, "app:v1")
		if err != nil || len(got.Layers) != layers {
			t.Errorf("%s gets %d layers: %v", want, len(got.Layers), err)
		}
	}
	_, err := pullFrom(openStore(t, Options{Platform: "linux/riscv64"}), impatient(), host, "app:v1")
	if !errors.Is(err, ErrPlatform) || strings.Contains(err.Error(), "save") {
		t.Errorf("for a machine that it is not for: %v", err)
	}
}

// A pull that fails keeps the layers that are whole, and the next one does not fetch them.
func TestPullGoesOnWithWholeLayers(t *testing.T) {
	needRoot(t)
	reg := registrytest.New()
	img := layersOf(5, "gzip")
	reg.Add(t, "app", "v1", img)
	s := openStore(t, Options{})
	host := reg.Start(t)
	manifest := string(reg.Manifest("app", "v1"))
	last := manifest[strings.LastIndex(manifest, "sha256:"):]
	last = last[:strings.IndexByte(last, '"')]
	good := reg.Blob(last)
	reg.AddBlob(last, append([]byte("x"), good[1:]...))
	if _, err := pullFrom(s, impatient(), host, "app:v1"); !errors.Is(err, ErrRefused) && !errors.Is(err, ErrTruncated) {
		t.Fatalf("a layer with another content: %v", err)
	}
	if len(s.List()) > 0 {
		t.Errorf("there are images: %v", s.List())
	}
	before := reg.Served()
	reg.AddBlob(last, good)
	s, err := Open(s.root, Options{}) // another podd
	if err != nil {
		t.Fatal(err)
	}
	got, err := pullFrom(s, impatient(), host, "app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if n := reg.Served() - before; n > int64(len(good))+1000 { // and the configuration
		t.Errorf("%d bytes were fetched again, the missing layer has %d", n, len(good))
	}
	if left, _ := os.ReadDir(s.dir("p")); len(left) > 0 {
		t.Errorf("%d layers are still kept for a pull", len(left))
	}
	if _, err := s.Remove(got.Names[0], nil); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(s.dir("l")); len(left) > 0 {
		t.Errorf("%d layers are left of no image", len(left))
	}
}

// Layers of a pull that did not end go when room is needed for others, or by hand, and not before.
func TestLayersOfBrokenPullsMakeRoom(t *testing.T) {
	needRoot(t)
	reg := crashRegistry(t)
	for name, c := range map[string]struct {
		age  time.Duration
		o    CollectOptions
		gone bool
	}{
		"by hand":              {0, CollectOptions{All: true}, true},
		"there is room":        {48 * time.Hour, CollectOptions{Need: 1}, false},
		"no room":              {48 * time.Hour, CollectOptions{Need: 1 << 60}, true},
		"no room, but it came": {time.Hour, CollectOptions{Need: 1 << 60}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, Options{Platform: "linux/amd64"})
			if _, err := pullFrom(s, impatient(), reg.host, "app:bad"); !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			kept := leftovers(t, s, "p", "l")
			if len(kept) != 4 {
				t.Fatalf("kept are %v", kept)
			}
			at := time.Now().Add(-c.age)
			for _, file := range leftovers(t, s, "p") {
				if err := os.Chtimes(s.dir(file), at, at); err != nil {
					t.Fatal(err)
				}
			}
			c.o.Now = time.Now()
			got, err := s.Collect(c.o)
			if err != nil {
				t.Fatal(err)
			}
			if left := leftovers(t, s, "p", "l", "d"); c.gone && (len(left) > 0 || got.Freed < 70_000) || !c.gone && (len(left) != 6 || got.Freed != 0) {
				t.Errorf("left are %v, freed %d bytes", left, got.Freed)
			}
		})
	}
}
