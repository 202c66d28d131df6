package hugepage

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPools(t *testing.T) {
	dir := t.TempDir()
	for name, pages := range map[string]string{"hugepages-1048576kB": "1\n", "hugepages-2048kB": "16\n", "hugepages-64kB": "x", "other": "3"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "nr_hugepages"), []byte(pages), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := Pools(dir)
	if got := p.Sizes(); !slices.Equal(got, []int64{64 << 10, 2 << 20, 1 << 30}) {
		t.Errorf("sizes %v", got)
	}
	for size, want := range map[int64]int64{64 << 10: 0, 2 << 20: 32 << 20, 1 << 30: 1 << 30, 4 << 20: 0} {
		if got := p.SetAside(size); got != want {
			t.Errorf("pages of %s: %d bytes, want %d", Name(size), got, want)
		}
	}
	for size, want := range map[int64]string{64 << 10: "64KB", 2 << 20: "2MB", 512 << 20: "512MB", 16 << 30: "16GB"} {
		if got := Name(size); got != want {
			t.Errorf("%d is %s, want %s", size, got, want)
		}
	}
	if !p.Any() || Pools(filepath.Join(dir, "none")).Any() {
		t.Error("Any is wrong about what is set aside")
	}
	if got := Pools(filepath.Join(dir, "none")).Sizes(); got != nil {
		t.Errorf("without huge pages: %v", got)
	}
}
