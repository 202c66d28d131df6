package layer

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podd/images/imagetest"
)

var update = flag.Bool("update", false, "write the golden trees anew")

func unpackBytes(t testing.TB, data []byte, l Limits) (string, unpacked, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layer")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	u, err := unpackBlob(context.Background(), bytes.NewReader(data), dir, l)
	return dir, u, err
}

func generous() Limits { return Limits{1 << 30, 1e5, 200} }

func TestGoldenTrees(t *testing.T) {
	needRoot(t)
	for name, files := range imagetest.GoldenLayers() {
		t.Run(name, func(t *testing.T) {
			data := must(t, func() ([]byte, error) { return imagetest.Tar(files...) })
			dir, u, err := unpackBytes(t, data, generous())
			if err != nil {
				t.Fatal(err)
			}
			if u.DiffID != imagetest.Digest(data) || u.BlobID != u.DiffID {
				t.Errorf("digests %s and %s of %s", u.DiffID, u.BlobID, imagetest.Digest(data))
			}
			if again, err := HighestID(dir); err != nil || again != u.HighestID || strings.Contains(imagetest.DescribeTree(t, dir), " 2000000000:") && again != 2000000000 {
				t.Errorf("the highest owner was %d, and is %d, %v", u.HighestID, again, err)
			}
			slices.Sort(u.Implicit)
			got := imagetest.DescribeTree(t, dir) + fmt.Sprintf("implied: %q\n", u.Implicit)
			golden := filepath.Join("testdata", "golden", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("unpacked:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
