package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// A staging area that goes while a layer is unpacked is told from a layer that is bad.
func TestUnpackWithoutStagingArea(t *testing.T) {
	st, err := NewStaging(t.TempDir(), Limits{Bytes: 1 << 30, Files: 1000, Ratio: 1000}, func(string) (Record, bool) { return Record{}, false })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(st.Dir); err != nil {
		t.Fatal(err)
	}
	var blob bytes.Buffer
	w := tar.NewWriter(&blob)
	err = errors.Join(w.WriteHeader(&tar.Header{Name: "a/b", Mode: 0o644, Size: 1, Typeflag: tar.TypeReg}), second(io.Copy(w, strings.NewReader("x"))), w.Close())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Unpack(t.Context(), &blob); !errors.Is(err, ErrStagingGone) {
		t.Errorf("unpacking says: %v", err)
	}
}

func second(_ int64, err error) error { return err }
