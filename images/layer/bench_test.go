package layer

import (
	"os"
	"testing"
)

// BenchmarkUnpackLayer unpacks the layer of PODD_LAYER.
func BenchmarkUnpackLayer(b *testing.B) {
	layer := os.Getenv("PODD_LAYER")
	if layer == "" {
		b.Skip("set PODD_LAYER to a layer's tar, .tar.gz or .tar.zst")
	}
	for b.Loop() {
		f, err := os.Open(layer)
		if err != nil {
			b.Fatal(err)
		}
		u, err := unpackBlob(b.Context(), f, b.TempDir(), Limits{1 << 33, 1 << 20, 200})
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(u.Size)
	}
}
