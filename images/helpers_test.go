package images

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"podd/images/imagetest"
)

func openStore(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: owners, device nodes and trusted.* attributes")
	}
}

// must drops an error that would be a mistake of the test itself.
func must[T any](t testing.TB, give func() (T, error)) T {
	t.Helper()
	v, err := give()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func dockerArchive(t testing.TB, images ...imagetest.Image) []byte {
	t.Helper()
	return must(t, func() ([]byte, error) { return imagetest.DockerArchive(images...) })
}

func ociArchive(t testing.TB, images ...imagetest.Image) []byte {
	t.Helper()
	return must(t, func() ([]byte, error) { return imagetest.OCIArchive(images...) })
}

func writeFile(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadBytes(t testing.TB, s *Store, data []byte) []Image {
	t.Helper()
	imgs, err := s.Load(context.Background(), bytes.NewReader(data), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return imgs
}

// leftovers lists what lies in the store's working folders.
func leftovers(t testing.TB, s *Store, dirs ...string) []string {
	t.Helper()
	var out []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(s.dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, dir+"/"+e.Name())
		}
	}
	return out
}

const someHex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
