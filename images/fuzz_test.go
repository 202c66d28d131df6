package images

import (
	"bytes"
	"context"
	"os"
	"testing"

	"podd/images/imagetest"
)

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
