package layer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/images/fault"
	"podd/images/imagetest"
)

// FuzzUnpackLayer: whatever the bytes are, nothing outside of the layer's directory changes and no device appears that not every
// container has.
func FuzzUnpackLayer(f *testing.F) {
	for _, layers := range []map[string][]imagetest.File{imagetest.GoldenLayers(), imagetest.HostileLayers()} {
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
	f.Add(imagetest.SparseHeader())
	f.Add(imagetest.HugeWindow())
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		writeFile(t, outer, "canary", []byte("alive"))
		dir := filepath.Join(outer, "layer")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		u, err := unpackBlob(context.Background(), bytes.NewReader(data), dir, Limits{1 << 20, 200, 100})
		if got, rerr := os.ReadFile(filepath.Join(outer, "canary")); rerr != nil || string(got) != "alive" {
			t.Fatalf("the file outside is %q, %v (unpack: %v)", got, rerr, err)
		}
		if entries, rerr := os.ReadDir(outer); rerr != nil || len(entries) > 3 {
			t.Fatalf("outside of the layer: %v, %v", entries, rerr)
		}
		wantNoDevices(t, dir)
		if err == nil {
			wantLedger(t, u, dir)
		}
	})
}

// wantLedger demands that a ledger knows its layer, and that the tar comes out of it again or is said not to.
func wantLedger(t *testing.T, u unpacked, dir string) {
	t.Helper()
	if list, err := Verify(t.Context(), dir+ledgerSuffix, dir); err != nil || len(list) > 0 {
		t.Errorf("verified at once: %+v, %v", list, err)
	}
	h := sha256.New()
	if err := WriteTar(h, dir+ledgerSuffix, dir, 0); err == nil && digestOf(h) != u.DiffID {
		t.Errorf("the tar that was put together is another one")
	} else if err != nil && !errors.Is(err, fault.ErrRefused) {
		t.Error(err)
	}
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
		if (kind == unix.S_IFCHR && st.Rdev != 0 && !isHarmless(int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev)))) || kind == unix.S_IFBLK {
			t.Errorf("%s is a device", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
