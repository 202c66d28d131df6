package images

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/images/imagetest"
)

// FuzzUnpackLayer: whatever the bytes are, nothing outside of the layer's directory changes and no device appears.
func FuzzUnpackLayer(f *testing.F) {
	for _, layers := range []map[string][]imagetest.File{goldenLayers(), hostileLayers()} {
		for name, files := range layers {
			if strings.HasPrefix(name, "too ") {
				continue
			}
			data, err := imagetest.Tar(files...)
			if err != nil {
				f.Fatal(err)
			}
			if len(data) < 1<<16 { // mutating large ones takes all the time
				f.Add(data)
			}
		}
	}
	f.Add(sparseHeader())
	f.Add(hugeWindow())
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		writeFile(t, outer, "canary", []byte("alive"))
		dir := filepath.Join(outer, "layer")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := unpackLayer(context.Background(), bytes.NewReader(data), dir, limits{1 << 20, 200, 100})
		if got, rerr := os.ReadFile(filepath.Join(outer, "canary")); rerr != nil || string(got) != "alive" {
			t.Fatalf("the file outside is %q, %v (unpack: %v)", got, rerr, err)
		}
		if entries, rerr := os.ReadDir(outer); rerr != nil || len(entries) != 2 {
			t.Fatalf("outside of the layer: %v, %v", entries, rerr)
		}
		wantNoDevices(t, dir)
	})
}

func wantNoDevices(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		kind := st.Mode & unix.S_IFMT
		if (kind == unix.S_IFCHR && st.Rdev != 0) || kind == unix.S_IFBLK {
			t.Errorf("%s is a device", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzLoad: whatever the archive is, a load that fails leaves nothing, and one that does not leaves whole images.
func FuzzLoad(f *testing.F) {
	img := hello("a:1", "x")
	for _, compress := range []string{"", "gzip", "zstd"} {
		img.Compress = compress
		for _, give := range []func(...imagetest.Image) ([]byte, error){imagetest.DockerArchive, imagetest.OCIArchive} {
			data, err := give(img)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
			packed, err := imagetest.Compress(data, "gzip")
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packed)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := openStore(t, Options{MaxLayerBytes: 1 << 20, MaxFiles: 200})
		_, err := s.Load(context.Background(), bytes.NewReader(data), LoadOptions{})
		if left := leftovers(t, s, "tmp"); len(left) > 0 {
			t.Fatalf("left behind: %v", left)
		}
		if left := leftovers(t, s, "l", "i"); err != nil && len(left) > 0 {
			t.Fatalf("left behind: %v after %v", left, err)
		}
		for _, img := range s.List() {
			for _, l := range img.Layers {
				if _, err := os.Stat(l); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// FuzzParseDocuments: manifests and configurations of any content give a verdict, never a panic.
func FuzzParseDocuments(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:x","platform":{"os":"linux","architecture":"arm"}}]}`), []byte(`{"rootfs":{"diff_ids":[]}}`))
	f.Add([]byte(`[{"Config":"c","Layers":["l"],"RepoTags":["a"]}]`), []byte(`{"config":null,"created":"x"}`))
	f.Fuzz(func(_ *testing.T, list, config []byte) {
		a := documents{"index.json": list, "manifest.json": list, "c": config}
		a[blobName(digestBytes(config))] = config
		want := platform{OS: "linux", Architecture: "arm", Variant: "v7"}
		_, _ = ociImages(a, list, want)
		_, _ = dockerImages(a, list, want)
	})
}

// documents is an archive without layers.
type documents map[string][]byte

func (d documents) document(name string) ([]byte, error) {
	if data, ok := d[name]; ok {
		return data, nil
	}
	return nil, os.ErrNotExist
}

func (d documents) layer(context.Context, string, *staging) (*staged, error) {
	return nil, os.ErrNotExist
}
func (d documents) whole() bool { return true }
