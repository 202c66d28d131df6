package layer

import (
	"os"
	"path/filepath"
	"testing"
)

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

func writeFile(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
