package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/images/imagetest"
)

func withLayer(files ...imagetest.File) imagetest.Image {
	return imagetest.Image{Names: []string{"evil"}, Layers: []imagetest.Layer{{Files: files}}}
}

// refused loads data by both ways and wants nothing to be left.
func refused(t *testing.T, data []byte, o Options, kind error) {
	t.Helper()
	for _, way := range []string{"stream", "file"} {
		outer := t.TempDir()
		canary := writeFile(t, outer, "canary", []byte("alive"))
		s := must(t, func() (*Store, error) { return Open(filepath.Join(outer, "store"), o) })
		var err error
		if way == "stream" {
			_, err = s.Load(context.Background(), bytes.NewReader(data), LoadOptions{Source: "evil.tar"})
		} else {
			_, err = s.LoadPath(context.Background(), writeFile(t, outer, "evil.tar", data), LoadOptions{})
		}
		if !errors.Is(err, kind) {
			t.Errorf("%s: error is %v, want %v", way, err, kind)
			continue
		}
		if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "evil.tar") || len(text) > 700 {
			t.Errorf("%s: not one clear sentence: %q", way, text)
		}
		if left := leftovers(t, s, "tmp", "l", "i"); len(left) > 0 || len(s.List()) > 0 {
			t.Errorf("%s: left behind: %v %v", way, left, s.List())
		}
		if got, err := os.ReadFile(canary); err != nil || string(got) != "alive" {
			t.Errorf("%s: the file outside is %q, %v", way, got, err)
		}
		if entries, err := os.ReadDir(outer); err != nil || len(entries) > 3 {
			t.Errorf("%s: outside of the store there is %v, %v", way, entries, err)
		}
	}
}

func TestHostileLayers(t *testing.T) {
	o := Options{MaxFiles: 1000, MaxLayerBytes: 32 << 20}
	for name, files := range imagetest.HostileLayers() {
		t.Run(name, func(t *testing.T) {
			refused(t, dockerArchive(t, withLayer(files...)), o, ErrRefused)
		})
	}
}

// rawLayer makes an archive around the bytes of a layer.
func rawLayer(t *testing.T, raw []byte, compress string) []byte {
	t.Helper()
	return ociArchive(t, imagetest.Image{Names: []string{"evil"}, Compress: compress, Layers: []imagetest.Layer{{Raw: raw}}})
}

func TestHostileRawLayers(t *testing.T) {
	good := must(t, func() ([]byte, error) { return imagetest.Tar(imagetest.Regular("x", strings.Repeat("x", 3000))) })
	damaged := bytes.Clone(good)
	damaged[0] ^= 1 // the header's checksum
	gz := must(t, func() ([]byte, error) { return imagetest.Compress(good, "gzip") })
	badSum := bytes.Clone(gz)
	badSum[len(badSum)-6] ^= 1
	zst := must(t, func() ([]byte, error) { return imagetest.Compress(good, "zstd") })
	badZstd := bytes.Clone(zst)
	badZstd[len(badZstd)-2] ^= 1
	for name, c := range map[string]struct {
		raw  []byte
		kind error
	}{
		"damaged header":      {damaged, ErrRefused},
		"no tar":              {[]byte(strings.Repeat("?", 2048)), ErrRefused},
		"cut in a file":       {good[:1500], ErrTruncated},
		"gzip cut":            {gz[:len(gz)/2], ErrTruncated},
		"gzip checksum":       {badSum, ErrRefused},
		"gzip and rubbish":    {append(bytes.Clone(gz), "rubbish rubbish"...), ErrRefused},
		"zstd cut":            {zst[:len(zst)-10], ErrTruncated},
		"zstd checksum":       {badZstd, ErrRefused},
		"zstd of 2 GiB":       {imagetest.HugeWindow(), ErrRefused},
		"xz":                  {append([]byte("\xfd7zXZ\x00"), make([]byte, 600)...), ErrRefused},
		"bomb of one letter":  {must(t, func() ([]byte, error) { return imagetest.Compress(bomb(t, "x"), "gzip") }), ErrRefused},
		"bomb after its end":  {must(t, func() ([]byte, error) { return imagetest.Compress(afterEnd(good), "gzip") }), ErrRefused},
		"NUL in a pax name":   {imagetest.PaxName("a\x00b"), ErrRefused},
		"huge pax header":     {imagetest.HugePax(), ErrRefused},
		"sparse beyond bytes": {imagetest.SparseHeader(), ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, rawLayer(t, c.raw, ""), Options{MaxLayerBytes: 80 << 20}, c.kind)
		})
	}
}

func bomb(t *testing.T, letter string) []byte {
	t.Helper()
	return must(t, func() ([]byte, error) { return imagetest.Tar(imagetest.Regular("x", strings.Repeat(letter, 70<<20))) })
}

func afterEnd(layer []byte) []byte { return append(bytes.Clone(layer), make([]byte, 200<<20)...) }

// TestHostileDocuments changes one file of a good OCI layout.
func TestHostileDocuments(t *testing.T) {
	img := withLayer(imagetest.Regular("x", "x"))
	index := func(d map[string]any) []byte {
		return must(t, func() ([]byte, error) { return json.Marshal(map[string]any{"manifests": []any{d}}) })
	}
	loop := "blobs/sha256/" + someHex
	for name, c := range map[string]struct {
		change func(files map[string][]byte)
		kind   error
	}{
		"no index":       {func(f map[string][]byte) { delete(f, "index.json") }, ErrRefused},
		"index no JSON":  {func(f map[string][]byte) { f["index.json"] = []byte("{") }, ErrRefused},
		"index is empty": {func(f map[string][]byte) { f["index.json"] = []byte("{}") }, ErrRefused},
		"index too large": {func(f map[string][]byte) {
			f["index.json"] = append(f["index.json"], bytes.Repeat([]byte(" "), 5<<20)...)
		}, ErrRefused},
		"every blob longer": {func(f map[string][]byte) {
			for n := range f {
				if strings.HasPrefix(n, "blobs/") {
					f[n] = append(f[n], ' ')
				}
			}
		}, ErrRefused},
		"layer changed": {func(f map[string][]byte) {
			for n, data := range f {
				if !json.Valid(data) {
					other, err := imagetest.Tar(imagetest.Regular("x", "y"))
					if err != nil {
						t.Fatal(err)
					}
					f[n] = other
				}
			}
		}, ErrRefused},
		"layer missing": {func(f map[string][]byte) {
			for n, data := range f {
				if !json.Valid(data) {
					delete(f, n)
				}
			}
		}, ErrRefused},
		"digest climbs": {func(f map[string][]byte) {
			f["index.json"] = index(map[string]any{"digest": "sha256:../../../../canary"})
		}, ErrRefused},
		"digest unknown": {func(f map[string][]byte) {
			f["index.json"] = index(map[string]any{"digest": "md5:d41d8cd98f00b204e9800998ecf8427e"})
		}, ErrRefused},
		"index of itself": {func(f map[string][]byte) {
			f["index.json"] = index(map[string]any{"digest": "sha256:" + someHex})
			f[loop] = f["index.json"]
		}, ErrRefused},
		"nested too deep": {func(f map[string][]byte) {
			for range 20 {
				d := imagetest.Digest(f["index.json"])
				f["blobs/sha256/"+strings.TrimPrefix(d, "sha256:")] = f["index.json"]
				f["index.json"] = index(map[string]any{"digest": d})
			}
		}, ErrRefused},
		"name impossible": {func(f map[string][]byte) {
			f["index.json"] = bytes.Replace(f["index.json"], []byte(`"evil"`), []byte(`"../Evil"`), 1)
		}, ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			files := must(t, func() (map[string][]byte, error) { return imagetest.OCIFiles(img) })
			c.change(files)
			refused(t, must(t, func() ([]byte, error) { return imagetest.TarOf(files) }), Options{}, c.kind)
		})
	}
}

func TestHostileDockerArchives(t *testing.T) {
	layer := string(must(t, func() ([]byte, error) { return imagetest.Tar(imagetest.Regular("x", "x")) }))
	diff := imagetest.Digest([]byte(layer))
	config := func(diffs ...string) string {
		return string(must(t, func() ([]byte, error) {
			return json.Marshal(map[string]any{"rootfs": map[string]any{"diff_ids": diffs}})
		}))
	}
	manifest := func(config string, layers ...string) imagetest.File {
		data := must(t, func() ([]byte, error) {
			return json.Marshal([]any{map[string]any{"Config": config, "Layers": layers, "RepoTags": []string{"evil"}}})
		})
		return imagetest.Regular("manifest.json", string(data))
	}
	reg := imagetest.Regular
	for name, files := range map[string][]imagetest.File{
		"no configuration":     {reg("l.tar", layer), manifest("c.json", "l.tar")},
		"no layer":             {reg("c.json", config(diff)), manifest("c.json", "l.tar")},
		"fewer layers":         {reg("c.json", config(diff, diff)), reg("l.tar", layer), manifest("c.json", "l.tar")},
		"other layer":          {reg("c.json", config("sha256:"+someHex)), reg("l.tar", layer), manifest("c.json", "l.tar")},
		"diffID climbs":        {reg("c.json", config("../../x")), reg("l.tar", layer), manifest("c.json", "l.tar")},
		"configuration's name": {reg(someHex+".json", config(diff)), reg("l.tar", layer), manifest(someHex+".json", "l.tar")},
		"paths climb":          {reg("../c.json", config(diff)), manifest("../c.json", "../../../../etc/passwd")},
		"link out":             {reg("c.json", config(diff)), imagetest.Symlink("l.tar", "/etc/passwd"), manifest("c.json", "l.tar")},
		"links in a circle":    {reg("c.json", config(diff)), imagetest.Symlink("l.tar", "l.tar"), manifest("c.json", "l.tar")},
		"a device":             {imagetest.Named(tar.Header{Name: "l.tar", Typeflag: tar.TypeBlock}), manifest("c.json", "l.tar")},
		"configuration large":  {reg("c.json", config(diff)+strings.Repeat(" ", 5<<20)), reg("l.tar", layer), manifest("c.json", "l.tar")},
		"configuration no JSON": {
			reg("c.json", "{\"rootfs\": 3}"), reg("l.tar", layer), manifest("c.json", "l.tar"),
		},
		"too many layers":  {reg("c.json", config(repeat(diff, 200)...)), reg("l.tar", layer), manifest("c.json", repeat("l.tar", 200)...)},
		"too many entries": append(imagetest.ManyFiles(10001), manifest("c.json")),
		"empty manifest":   {reg("manifest.json", "[]")},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, must(t, func() ([]byte, error) { return imagetest.Tar(files...) }), Options{}, ErrRefused)
		})
	}
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestTruncatedArchives(t *testing.T) {
	docker, oci := dockerArchive(t, hello("a", "1")), ociArchive(t, hello("a", "1"))
	packed := must(t, func() ([]byte, error) { return imagetest.Compress(docker, "gzip") })
	for name, data := range map[string][]byte{
		"empty": nil, "a few bytes": docker[:100], "in the first layer": docker[:1000], "in the middle": docker[:len(docker)/2/512*512+100],
		"between entries": docker[:512+2560], "without manifest": docker[:len(docker)-2048],
		"oci in the middle": oci[:len(oci)/2], "oci before the index": oci[:len(oci)-4096],
		"gzip": packed[:len(packed)/2], "gzip without its sum": packed[:len(packed)-4],
	} {
		t.Run(name, func(t *testing.T) { refused(t, data, Options{}, ErrTruncated) })
	}
}

func TestForeignFilesAreNoArchives(t *testing.T) {
	text := must(t, func() ([]byte, error) { return imagetest.Tar(imagetest.Regular("README", "x")) })
	for name, data := range map[string][]byte{
		"text": []byte(strings.Repeat("text", 1000)), "some tar": text, "xz": append([]byte("\xfd7zXZ\x00"), make([]byte, 600)...),
		"gzip of text": must(t, func() ([]byte, error) { return imagetest.Compress([]byte(strings.Repeat("text", 1000)), "gzip") }),
	} {
		t.Run(name, func(t *testing.T) { refused(t, data, Options{}, ErrRefused) })
	}
}
