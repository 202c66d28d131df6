package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/images/imagetest"
)

func withLayer(files ...imagetest.File) imagetest.Image {
	return imagetest.Image{Names: []string{"evil"}, Layers: []imagetest.Layer{{Files: files}}}
}

func named(h tar.Header) imagetest.File { return imagetest.File{Header: h} }

// hostileLayers is what a layer must not hold.
func hostileLayers() map[string][]imagetest.File {
	reg, link := imagetest.Regular, imagetest.Symlink
	return map[string][]imagetest.File{
		"dot dot":                   {reg("../canary", "x")},
		"dot dot inside":            {reg("a/../../canary", "x")},
		"dot dot that stays":        {reg("a/../b", "x")},
		"absolute name":             {reg("/etc/canary", "x")},
		"write through absolute":    {link("l", "/tmp"), reg("l/canary", "x")},
		"write through relative":    {link("l", "../.."), reg("l/canary", "x")},
		"write through two":         {link("a", "b"), link("b", ".."), reg("a/canary", "x")},
		"write through deep":        {imagetest.Dir("d/"), link("d/l", "../.."), reg("d/l/canary", "x")},
		"folder through link":       {link("l", ".."), imagetest.Dir("l/canary/")},
		"whiteout through link":     {link("l", "../.."), reg("l/.wh.canary", "")},
		"opaque through link":       {link("l", ".."), reg("l/.wh..wh..opq", "")},
		"through proc":              {link("l", "/proc/self/root/tmp"), reg("l/canary", "x")},
		"loop of links":             {link("a", "b"), link("b", "a"), reg("a/x", "x")},
		"hard link up":              {hardlink("h", "../../canary")},
		"hard link absolute":        {hardlink("h", "/etc/passwd")},
		"hard link through link":    {link("l", "/etc"), hardlink("h", "l/passwd")},
		"hard link through up":      {link("l", "../.."), hardlink("h", "l/canary")},
		"hard link to nothing":      {hardlink("h", "nothing")},
		"hard link to itself":       {reg("h", "x"), hardlink("h", "h")},
		"hard link to folder":       {imagetest.Dir("d/"), hardlink("h", "d")},
		"hard link to whiteout":     {whiteoutOf("w"), hardlink("h", "w")},
		"hard link to removed":      {reg("d/x", "x"), hardlink("d", "d/x")},
		"device":                    {named(tar.Header{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8})},
		"char device":               {named(tar.Header{Name: "etc/mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1})},
		"device below dev":          {named(tar.Header{Name: "dev/x/mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1})},
		"fake whiteout":             {named(tar.Header{Name: "etc", Typeflag: tar.TypeChar})},
		"fake whiteout in dev":      {named(tar.Header{Name: "dev/x", Typeflag: tar.TypeChar})},
		"unknown type":              {named(tar.Header{Name: "x", Typeflag: 'Z'})},
		"fake opaque":               {file("x", func(h *tar.Header) { xattr(h, "trusted.overlay.opaque", "y") })},
		"fake redirect":             {file("x", func(h *tar.Header) { xattr(h, "trusted.overlay.redirect", "/etc") })},
		"fake user overlay":         {file("x", func(h *tar.Header) { xattr(h, "user.overlay.opaque", "y") })},
		"overlong name":             {reg(strings.Repeat("n", 256), "x")},
		"overlong path":             {reg(strings.Repeat("n/", 2100)+"x", "x")},
		"overlong link":             {link("l", strings.Repeat("n", 5000))},
		"empty link":                {link("l", "")},
		"below a file":              {reg("f", "x"), reg("f/x", "x")},
		"below a dangling link":     {link("l", "nowhere"), reg("l/x", "x")},
		"whiteout of nothing":       {reg("d/.wh.", "")},
		"whiteout of dot":           {reg("d/.wh..", "")},
		"whiteout of dot dot":       {reg("d/.wh...", "")},
		"below a whiteout":          {reg(".wh.d/x", "x")},
		"root is a file":            {named(tar.Header{Name: ".", Typeflag: tar.TypeReg})},
		"root is a link":            {link("./", "/etc")},
		"too many files":            manyFiles(2000),
		"too many implied":          {reg(strings.Repeat("d/", 1500)+"x", "x")},
		"too large":                 {reg("x", strings.Repeat("x", 40<<20))},
		"owner below zero":          {named(tar.Header{Name: "x", Uid: -5, Format: tar.FormatGNU})},
		"capability beyond limits":  {file("x", func(h *tar.Header) { xattr(h, "user."+strings.Repeat("n", 300), "y") })},
		"replaced folder then link": {imagetest.Dir("d/"), reg("d/x", "x"), link("d", "../.."), reg("d/canary", "x")},
	}
}

func manyFiles(n int) []imagetest.File {
	var out []imagetest.File
	for i := range n {
		out = append(out, imagetest.Regular(fmt.Sprint("f", i), ""))
	}
	return out
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
	for name, files := range hostileLayers() {
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
		"zstd of 2 GiB":       {hugeWindow(), ErrRefused},
		"xz":                  {append([]byte("\xfd7zXZ\x00"), make([]byte, 600)...), ErrRefused},
		"bomb of one letter":  {must(t, func() ([]byte, error) { return imagetest.Compress(bomb(t, "x"), "gzip") }), ErrRefused},
		"bomb after its end":  {must(t, func() ([]byte, error) { return imagetest.Compress(afterEnd(good), "gzip") }), ErrRefused},
		"NUL in a pax name":   {paxName("a\x00b"), ErrRefused},
		"huge pax header":     {hugePax(), ErrRefused},
		"sparse beyond bytes": {sparseHeader(), ErrRefused},
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

// hugeWindow is a zstd frame that asks for 2 GiB of memory (RFC 8878, 3.1.1.1.2).
func hugeWindow() []byte {
	return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0, 0}, make([]byte, 600)...)
}

func rawEntry(typeflag byte, name string, size int64, data []byte) []byte {
	var buf bytes.Buffer
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x00")
	copy(h[108:], "0000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00", size))
	copy(h[136:], "00000000000\x00        ")
	h[156] = typeflag
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	buf.Write(h)
	buf.Write(data)
	buf.Write(make([]byte, (512-len(data)%512)%512))
	return buf.Bytes()
}

func paxRecord(key, value string) []byte {
	n := len(key) + len(value) + 3
	n += len(fmt.Sprint(n + len(fmt.Sprint(n))))
	return fmt.Appendf(nil, "%d %s=%s\n", n, key, value)
}

func paxName(name string) []byte {
	rec := paxRecord("path", name)
	out := rawEntry('x', "PaxHeaders/x", int64(len(rec)), rec)
	return append(append(out, rawEntry('0', "x", 0, nil)...), make([]byte, 1024)...)
}

func hugePax() []byte {
	rec := paxRecord("comment", strings.Repeat("c", 2<<20))
	out := rawEntry('x', "PaxHeaders/x", int64(len(rec)), rec)
	return append(append(out, rawEntry('0', "x", 0, nil)...), make([]byte, 1024)...)
}

// sparseHeader claims a file of a TiB with nothing in it.
func sparseHeader() []byte {
	var rec []byte
	for _, kv := range [][2]string{
		{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", "big"}, {"GNU.sparse.realsize", "1099511627776"},
	} {
		rec = append(rec, paxRecord(kv[0], kv[1])...)
	}
	out := rawEntry('x', "PaxHeaders/x", int64(len(rec)), rec)
	sparseMap := make([]byte, 512)
	copy(sparseMap, "1\n1099511627776\n0\n")
	return append(append(out, rawEntry('0', "x", 512, sparseMap)...), make([]byte, 1024)...)
}

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
				if isTar(data) {
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
				if isTar(data) {
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
				f[blobName(d)] = f["index.json"]
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
		"a device":             {named(tar.Header{Name: "l.tar", Typeflag: tar.TypeBlock}), manifest("c.json", "l.tar")},
		"configuration large":  {reg("c.json", config(diff)+strings.Repeat(" ", 5<<20)), reg("l.tar", layer), manifest("c.json", "l.tar")},
		"configuration no JSON": {
			reg("c.json", "{\"rootfs\": 3}"), reg("l.tar", layer), manifest("c.json", "l.tar"),
		},
		"too many layers":  {reg("c.json", config(repeat(diff, 200)...)), reg("l.tar", layer), manifest("c.json", repeat("l.tar", 200)...)},
		"too many entries": append(manyFiles(10001), manifest("c.json")),
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
