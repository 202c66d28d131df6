package main

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"testing"
)

// maxBinary is the whole budget on flash, in bytes (docs/decisions/019-plain-build.md).
const maxBinary = 24 << 20

// builtBinary is the one that `make build` has made, with the flags that are shipped.
func builtBinary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PODD_BIN")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "podd")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no binary to look at, make build makes it: %v", err)
	}
	return path
}

func TestBinarySize(t *testing.T) {
	st, err := os.Stat(builtBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > maxBinary {
		t.Errorf("the binary has %d bytes, %d more than its budget of 24 MiB", st.Size(), st.Size()-maxBinary)
	}
}

func TestBinaryIsStatic(t *testing.T) {
	f, err := elf.Open(builtBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a %v segment: it needs a dynamic loader", p.Type)
		}
	}
}

// glibc measures the processor before anything else runs, which costs each start of a container a millisecond.
// docs/decisions/022-musl.md
func TestBinaryIsLinkedWithMusl(t *testing.T) {
	data, err := os.ReadFile(builtBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("GLIBC_TUNABLES")) {
		t.Error("the binary is linked with glibc")
	}
}
