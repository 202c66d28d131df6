package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/fault"
	"podd/images/imagetest"
)

// variety is a layer that has something of everything.
func variety() []imagetest.File {
	file := func(name, data string, h tar.Header) imagetest.File {
		h.Name = name
		return imagetest.File{Header: h, Data: []byte(data)}
	}
	return []imagetest.File{
		imagetest.Dir("./"), imagetest.Dir("etc/"),
		file("etc/shadow", "secret", tar.Header{Mode: 0o600, Uid: 7, Gid: 8, ModTime: time.Unix(1e9, 12345)}),
		file("etc/empty", "", tar.Header{}),
		file("bin/"+strings.Repeat("long", 50), "long", tar.Header{}),
		file("bin/ping", strings.Repeat("ping", 3000), tar.Header{Mode: 0o4755, PAXRecords: map[string]string{
			"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "SCHILY.xattr.user.mark": "x",
		}}),
		file("bin/link", "", tar.Header{Typeflag: tar.TypeLink, Linkname: "bin/ping"}),
		imagetest.Symlink("lib", "usr/lib"), imagetest.Dir("usr/"), imagetest.Dir("usr/lib/"),
		file("lib/through", "a link of the layer", tar.Header{}),
		file("zeros", strings.Repeat("\x00", 20000), tar.Header{}),
		file("one", "the same", tar.Header{}), file("two", "the same", tar.Header{}),
		file("etc/.wh.gone", "", tar.Header{}), file("usr/.wh..wh..opq", "", tar.Header{}),
		file("run/fifo", "", tar.Header{Typeflag: tar.TypeFifo}),
	}
}

func unpackVariety(t *testing.T) (data []byte, dir string, u unpacked) {
	t.Helper()
	needRoot(t)
	data = must(t, func() ([]byte, error) { return imagetest.Tar(variety()...) })
	data = append(data, make([]byte, 7000)...) // blocking factors differ
	dir, u, err := unpackBytes(t, data, generous())
	if err != nil {
		t.Fatal(err)
	}
	return data, dir, u
}

// The tar comes out of the tree again, byte by byte.
func TestWriteTar(t *testing.T) {
	data, dir, u := unpackVariety(t)
	var out bytes.Buffer
	if err := WriteTar(&out, dir+ledgerSuffix, dir, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), data) || u.TarSize != int64(len(data)) || imagetest.Digest(out.Bytes()) != u.DiffID {
		t.Errorf("another tar: %d bytes instead of %d, noted %d", out.Len(), len(data), u.TarSize)
	}
	if st, err := os.Stat(dir + ledgerSuffix); err != nil || st.Size() > 4000 {
		t.Errorf("the ledger has %d bytes, %v", st.Size(), err)
	}
	if err := os.Truncate(dir+ledgerSuffix, 100); err != nil {
		t.Fatal(err)
	}
	if err := WriteTar(io.Discard, dir+ledgerSuffix, dir, 0); err == nil {
		t.Error("half a ledger is as good as a whole one")
	}
	if _, err := Verify(t.Context(), dir+ledgerSuffix, dir); !errors.Is(err, errLedger) {
		t.Errorf("half a ledger: %v", err)
	}
}

// A file that its own tar replaces is not in the tree any more.
func TestWriteTarKnowsWhatIsLost(t *testing.T) {
	needRoot(t)
	data := must(t, func() ([]byte, error) {
		return imagetest.Tar(imagetest.Regular("a", "first"), imagetest.Regular("b", "b"), imagetest.Regular("a", "second"))
	})
	dir, _, err := unpackBytes(t, data, generous())
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteTar(io.Discard, dir+ledgerSuffix, dir, 0); !errors.Is(err, fault.ErrRefused) {
		t.Errorf("%v", err)
	}
	if list, err := Verify(t.Context(), dir+ledgerSuffix, dir); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// damages are what may become of a layer, with the differences that they are; those of folders' times go without saying.
var damages = map[string]struct {
	do   func(dir string) error
	want map[string]string
}{
	"nothing":         {func(string) error { return nil }, nil},
	"emptied":         {func(d string) error { return os.Truncate(d+"/bin/ping", 0) }, map[string]string{"bin/ping": Content, "bin/link": Content}},
	"one bit":         {func(d string) error { return flip(d + "/etc/shadow") }, map[string]string{"etc/shadow": Content}},
	"a bit of a hole": {func(d string) error { return flip(d + "/zeros") }, map[string]string{"zeros": Content}},
	"gone":            {func(d string) error { return os.Remove(d + "/bin/ping") }, map[string]string{"bin/ping": Missing}},
	"empty one gone":  {func(d string) error { return os.Remove(d + "/etc/empty") }, map[string]string{"etc/empty": Missing}},
	"folder gone": {func(d string) error { return os.RemoveAll(d + "/usr") }, map[string]string{
		"usr": Missing, "usr/lib": Missing, "usr/lib/through": Missing,
	}},
	"link gone":     {func(d string) error { return os.Remove(d + "/lib") }, map[string]string{"lib": Missing}},
	"link changed":  {func(d string) error { return errors.Join(os.Remove(d+"/lib"), os.Symlink("/etc", d+"/lib")) }, map[string]string{"lib": Kind}},
	"whiteout gone": {func(d string) error { return os.Remove(d + "/etc/gone") }, map[string]string{"etc/gone": Missing}},
	"fifo gone":     {func(d string) error { return os.Remove(d + "/run/fifo") }, map[string]string{"run/fifo": Missing}},
	"added":         {func(d string) error { return os.WriteFile(d+"/etc/new", nil, 0o600) }, map[string]string{"etc/new": Added}},
	"tree added":    {func(d string) error { return os.MkdirAll(d+"/new/tree", 0o700) }, map[string]string{"new": Added}},
	"file to link":  {func(d string) error { return errors.Join(os.Remove(d+"/one"), os.Symlink("/etc/passwd", d+"/one")) }, map[string]string{"one": Kind}},
	"link to tree":  {func(d string) error { return errors.Join(os.Remove(d+"/lib"), os.MkdirAll(d+"/lib/x/y", 0o700)) }, map[string]string{"lib": Kind}},
	"tree to file": {func(d string) error { return errors.Join(os.RemoveAll(d+"/usr"), os.WriteFile(d+"/usr", nil, 0o600)) }, map[string]string{
		"usr": Kind, "usr/lib": Missing, "usr/lib/through": Missing,
	}},
	"mode":     {func(d string) error { return os.Chmod(d+"/bin/ping", 0o755) }, map[string]string{"bin/ping": Attributes, "bin/link": Attributes}},
	"owner":    {func(d string) error { return os.Chown(d+"/etc/shadow", 0, 8) }, map[string]string{"etc/shadow": Attributes}},
	"time":     {func(d string) error { return os.Chtimes(d+"/usr/lib", time.Time{}, time.Unix(1, 0)) }, map[string]string{"usr/lib": Attributes}},
	"no xattr": {func(d string) error { return unix.Removexattr(d+"/usr", opaqueXattr) }, map[string]string{"usr": Attributes}},
	"twins":    {func(d string) error { return errors.Join(flip(d+"/one"), os.Remove(d+"/two")) }, map[string]string{"one": Content, "two": Missing}},
	"all at once": {func(d string) error {
		for _, n := range []string{"etc", "bin", "usr", "lib", "zeros", "one", "two", "run"} {
			if err := os.RemoveAll(d + "/" + n); err != nil {
				return err
			}
		}
		return nil
	}, nil},
}

func flip(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, 3)
	b[0] ^= 4
	_, werr := f.WriteAt(b, 3)
	return errors.Join(err, werr, f.Close(), os.Chtimes(path, time.Time{}, st.ModTime())) // nobody sees it from outside
}

// Each damage is found as what it is, and mended without a touch of what is whole.
func TestVerifyAndMend(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			data, dir, u := unpackVariety(t)
			before := inodes(t, dir)
			if err := damage.do(dir); err != nil {
				t.Fatal(err)
			}
			list, err := Verify(t.Context(), dir+ledgerSuffix, dir)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, d := range list {
				if d.Problem != Attributes || damage.want[d.Path] == Attributes {
					got[d.Path] = d.Problem
				}
			}
			if damage.want != nil && !maps.Equal(got, damage.want) {
				t.Errorf("found %v", got)
			}
			if shape, err := Shape(dir); err != nil || shape == u.Shape && len(list) > 0 && !strings.Contains(name, "bit") {
				t.Errorf("the shape is %s, %v", shape, err)
			}
			compressed := must(t, func() ([]byte, error) { return imagetest.Compress(data, "gzip") })
			asked := 0
			source := func() (io.ReadCloser, error) { asked++; return io.NopCloser(bytes.NewReader(compressed)), nil }
			if err := Mend(t.Context(), dir, list, source); err != nil {
				t.Fatal(err)
			}
			if need := NeedsContent(list); need != (asked == 1) {
				t.Errorf("the layer was asked for %d times, its content needed: %v", asked, need)
			}
			if left, err := Verify(t.Context(), dir+ledgerSuffix, dir); err != nil || len(left) > 0 {
				t.Errorf("after mending: %+v, %v", left, err)
			}
			if shape, err := Shape(dir); err != nil || shape != u.Shape {
				t.Errorf("the shape is %s instead of %s, %v", shape, u.Shape, err)
			}
			for path, inode := range inodes(t, dir) {
				if !slices.ContainsFunc(list, func(d Difference) bool { return d.Path == path }) && inode != before[path] {
					t.Errorf("%s was whole and is another file now", path)
				}
			}
		})
	}
}

func inodes(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	out := map[string]uint64{}
	if err := walk(dir, func(e *Entry) error { out[e.Path] = e.Inode; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// Content that was brought is believed by its digest alone, and what cannot be mended says so.
func TestMendBelievesNothing(t *testing.T) {
	_, dir, _ := unpackVariety(t)
	if err := flip(filepath.Join(dir, "etc/shadow")); err != nil {
		t.Fatal(err)
	}
	list := must(t, func() ([]Difference, error) { return Verify(t.Context(), dir+ledgerSuffix, dir) })
	other := must(t, func() ([]byte, error) { return imagetest.Tar(imagetest.Regular("etc/shadow", "hacked")) })
	for what, source := range map[string]func() (io.ReadCloser, error){
		"nobody":        nil,
		"another layer": func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(other)), nil },
	} {
		if err := Mend(t.Context(), dir, list, source); !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), "etc/shadow") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left, err := Verify(context.Background(), dir+ledgerSuffix, dir); err != nil || len(left) != 1 || left[0].Path != "etc/shadow" {
		t.Errorf("%+v, %v", left, err)
	}
}
