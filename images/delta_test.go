package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/klauspost/compress/zstd"
	"github.com/vbatts/tar-split/tar/asm"
	"github.com/vbatts/tar-split/tar/storage"
	"golang.org/x/sys/unix"

	"podd/images/archive"
	"podd/images/delta"
	"podd/images/imagetest"
	"podd/images/registry"
	"podd/images/registry/registrytest"
)

// fileSize is that of the layers' files.
const fileSize = 256 << 10

// randomBytes is n bytes that nothing compresses.
func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// versionOf is the tar of a layer of 24 files of 256 KiB and a few others; changed replaces one of the files.
func versionOf(t *testing.T, changed uint64) []byte {
	t.Helper()
	return versionOfFiles(t, changed, 24, fileSize)
}

func versionOfFiles(t *testing.T, changed, count uint64, size int) []byte {
	t.Helper()
	files := []imagetest.File{imagetest.Dir("bin/"), imagetest.Regular("bin/empty", ""), imagetest.Regular("bin/small", "a few bytes")}
	for i := range count {
		seed := i
		if i == 7 {
			seed = changed
		}
		files = append(files, imagetest.Regular(fmt.Sprintf("bin/f%d", i), string(randomBytes(seed, size+int(i)*100))))
	}
	files = append(files,
		imagetest.File{Header: tar.Header{Name: "bin/link", Typeflag: tar.TypeSymlink, Linkname: "f1"}},
		imagetest.File{Header: tar.Header{Name: "bin/hard", Typeflag: tar.TypeLink, Linkname: "bin/f2"}},
		imagetest.File{Header: tar.Header{Name: "bin/attr", Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}}, Data: []byte("text")})
	data, err := imagetest.Tar(files...)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// packed is a layer as a registry has it.
type packed struct {
	blob        []byte
	diffID      string
	annotations map[string]string
}

// chunkedOf packs a tar as zstd:chunked, with a tar-split as podman writes one today, or without.
func chunkedOf(t *testing.T, data []byte, withSplit bool) packed {
	t.Helper()
	return chunkedWith(t, data, withSplit, 0)
}

// chunkedWith lets each frame ask for a window; 0: for what it has.
func chunkedWith(t *testing.T, data []byte, withSplit bool, window int) packed {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	compress := func(data []byte) []byte { return enc.EncodeAll(data, nil) }
	if window > 0 {
		if enc, err = zstd.NewWriter(nil, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1)); err != nil {
			t.Fatal(err)
		}
		compress = func(data []byte) []byte {
			var b bytes.Buffer
			enc.Reset(&b)
			// A frame that is written at once has the window of its content.
			_, err := enc.Write(data[:len(data)/2])
			if err == nil {
				err = enc.Flush()
			}
			if err == nil {
				_, err = enc.Write(data[len(data)/2:])
			}
			if err := errors.Join(err, enc.Close()); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
	}
	var blob bytes.Buffer
	frame := func(data []byte) { blob.Write(compress(data)) }
	skippable := func(data []byte) (offset int) {
		blob.Write([]byte{0x50, 0x2a, 0x4d, 0x18, byte(len(data)), byte(len(data) >> 8), byte(len(data) >> 16), byte(len(data) >> 24)})
		offset = blob.Len()
		blob.Write(data)
		return offset
	}
	type file struct {
		Type      string `json:"type"`
		Name      string `json:"name"`
		Size      int64  `json:"size"`
		Digest    string `json:"digest"`
		Offset    int    `json:"offset"`
		EndOffset int    `json:"endOffset"`
	}
	var list []file
	in := bytes.NewReader(data)
	tr := tar.NewReader(in)
	done := 0
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || h.Size == 0 {
			continue
		}
		at := len(data) - in.Len()
		content := data[at : at+int(h.Size)]
		frame(data[done:at])
		f := file{Type: "reg", Name: h.Name, Size: h.Size, Digest: imagetest.Digest(content), Offset: blob.Len()}
		frame(content[:len(content)/2]) // two chunks
		frame(content[len(content)/2:])
		f.EndOffset, done = blob.Len(), at+len(content)
		list = append(list, f)
	}
	frame(data[done:])
	p := packed{diffID: imagetest.Digest(data), annotations: map[string]string{}}
	const prefix = "io.github.containers.zstd-chunked."
	if withSplit {
		var lines bytes.Buffer
		r, err := asm.NewInputTarStream(bytes.NewReader(data), storage.NewJSONPacker(&lines), storage.NewDiscardFilePutter())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		split := compress(lines.Bytes())
		p.annotations[prefix+"tarsplit-position"] = fmt.Sprintf("%d:%d:%d", skippable(split), len(split), lines.Len())
	}
	table, err := json.Marshal(map[string]any{"version": 1, "entries": list})
	if err != nil {
		t.Fatal(err)
	}
	z := compress(table)
	p.annotations[prefix+"manifest-position"] = fmt.Sprintf("%d:%d:%d:1", skippable(z), len(z), len(table))
	p.annotations[prefix+"manifest-checksum"] = imagetest.Digest(z)
	p.blob = blob.Bytes()
	return p
}

// stargzOf packs a tar as its authors do.
func stargzOf(t *testing.T, data []byte) packed {
	t.Helper()
	b, err := estargz.Build(io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), estargz.WithChunkSize(300_000), estargz.WithCompressionLevel(1))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := io.ReadAll(b)
	if err == nil {
		err = b.Close() // its temporary files go with it
	}
	if err != nil {
		t.Fatal(err)
	}
	return packed{blob, b.DiffID().String(), map[string]string{"containerd.io/snapshot/stargz/toc.digest": b.TOCDigest().String()}}
}

// skopeoOf packs a tar as zstd:chunked with Debian's skopeo.
func skopeoOf(t *testing.T, data []byte) packed {
	t.Helper()
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("skopeo is not here")
	}
	dir := t.TempDir()
	layout, err := imagetest.OCIArchive(imagetest.Image{Names: []string{"example.org/a:1"}, Layers: []imagetest.Layer{{Raw: data}}})
	if err != nil {
		t.Fatal(err)
	}
	policy, from, to := filepath.Join(dir, "policy.json"), filepath.Join(dir, "a.tar"), filepath.Join(dir, "out")
	for name, content := range map[string][]byte{policy: []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), from: layout} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("skopeo", "--policy", policy, "copy", "--dest-compress", "--dest-compress-format=zstd:chunked", "oci-archive:"+from, "oci:"+to+":a").CombinedOutput(); err != nil {
		t.Skipf("this skopeo cannot: %v\n%s", err, out)
	}
	read := func(digest string) []byte {
		data, err := os.ReadFile(filepath.Join(to, "blobs/sha256", strings.TrimPrefix(digest, "sha256:")))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var doc struct {
		Manifests []struct{ Digest string }
		Layers    []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	index, err := os.ReadFile(filepath.Join(to, "index.json"))
	if err == nil {
		err = json.Unmarshal(index, &doc)
	}
	if err == nil {
		err = json.Unmarshal(read(doc.Manifests[0].Digest), &doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Layers[0].Annotations) == 0 {
		t.Skip("this skopeo does not write zstd:chunked")
	}
	return packed{read(doc.Layers[0].Digest), imagetest.Digest(data), doc.Layers[0].Annotations}
}

// serve puts an image of one layer into a registry.
func (p packed) serve(t *testing.T, reg *registrytest.Registry, tag string) {
	t.Helper()
	serveAll(t, reg, tag, p)
}

// serveAll puts an image into a registry.
func serveAll(t *testing.T, reg *registrytest.Registry, tag string, list ...packed) {
	t.Helper()
	marshal := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		reg.AddBlob(imagetest.Digest(data), data)
		return data
	}
	var diffIDs []string
	var layers []any
	for _, p := range list {
		reg.AddBlob(imagetest.Digest(p.blob), p.blob)
		diffIDs = append(diffIDs, p.diffID)
		layers = append(layers, map[string]any{
			"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": imagetest.Digest(p.blob), "size": len(p.blob), "annotations": p.annotations,
		})
	}
	config := marshal(map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}})
	manifest := marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": imagetest.Digest(config), "size": len(config)},
		"layers": layers,
	})
	reg.AddManifest("app", tag, "application/vnd.oci.image.manifest.v1+json", manifest)
	reg.AddManifest("app", imagetest.Digest(manifest), "application/vnd.oci.image.manifest.v1+json", manifest)
}

// pullDelta pulls a tag, and says what became of its layers.
func pullDelta(t *testing.T, s *Store, host, tag string, whole bool) (img Image, deltas []Delta) {
	t.Helper()
	var mu sync.Mutex
	c := impatient()
	ref, err := registry.ParseReference(host + "/app:" + tag)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := c.Open(context.Background(), ref, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	root := archive.Descriptor{MediaType: remote.MediaType, Digest: remote.Digest, Size: int64(len(remote.Manifest))}
	img, err = s.Pull(context.Background(), remote, root, PullOptions{
		Name: ref.String(), Platform: "linux/amd64", Whole: whole, Delta: func(d Delta) {
			mu.Lock()
			defer mu.Unlock()
			deltas = append(deltas, d)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img, deltas
}

// A layer whose table of contents tells its files comes by file: what the store has is not fetched, and the layer is to the
// byte what it is when it is fetched whole.
func TestPullOfAChangedFile(t *testing.T) {
	needRoot(t)
	first, second := versionOf(t, 7), versionOf(t, 700)
	for name, pack := range map[string]func(*testing.T, []byte) packed{
		"zstd chunked": func(t *testing.T, data []byte) packed { return chunkedOf(t, data, true) },
		"no tar-split": func(t *testing.T, data []byte) packed { return chunkedOf(t, data, false) },
		"skopeo":       skopeoOf,
		"estargz":      stargzOf,
	} {
		t.Run(name, func(t *testing.T) {
			reg := registrytest.New()
			old, changed := pack(t, first), pack(t, second)
			old.serve(t, reg, "v1")
			changed.serve(t, reg, "v2")
			host := reg.Start(t)
			s := openStore(t, Options{})
			if _, deltas := pullDelta(t, s, host, "v1", false); len(deltas) != 0 {
				t.Errorf("an empty store has files: %+v", deltas)
			}
			before := reg.Served()
			img, deltas := pullDelta(t, s, host, "v2", false)
			if len(deltas) != 1 || deltas[0].Err != nil || deltas[0].Reused < 22*fileSize {
				t.Fatalf("the layer came as %+v", deltas)
			}
			if moved := reg.Served() - before; moved > 2*fileSize || moved < fileSize || deltas[0].Fetched > moved {
				t.Errorf("%d bytes came, %d by podd's word", moved, deltas[0].Fetched)
			}
			whole := openStore(t, Options{})
			plain, deltas := pullDelta(t, whole, host, "v2", true)
			if len(deltas) != 0 {
				t.Errorf("asked for a whole layer: %+v", deltas)
			}
			if a, b := imagetest.DescribeTree(t, img.Layers[0]), imagetest.DescribeTree(t, plain.Layers[0]); a != b {
				t.Errorf("the layers differ:\n%s\n%s", a, b)
			}
			if list := verifyAll(t, s, false); len(list) != 2 || list[0].Err != nil || list[1].Err != nil {
				t.Errorf("the store has %+v", list)
			}
			// It is known by the digest of its blob: the next pull has nothing to do.
			before = reg.Served()
			if _, deltas := pullDelta(t, s, host, "v2", false); len(deltas) != 0 || reg.Served()-before > 10_000 {
				t.Errorf("pulled again: %+v, %d bytes", deltas, reg.Served()-before)
			}
		})
	}
}

// Layers that come by file, with tables of thousands of files and the largest windows that are taken, beside one that
// comes whole: all of them take at most 64 MiB of memory.
func TestPullByFileIsBoundedInMemory(t *testing.T) {
	needRoot(t)
	if testing.Short() {
		t.Skip("makes thirty thousand files")
	}
	const window, large = 32 << 20, 36 << 20
	version := func(seed uint64, files int) []byte {
		list := []imagetest.File{imagetest.Dir("lib/"), imagetest.Regular("lib/kept", string(randomBytes(seed, large)))}
		list = append(list, imagetest.Regular("lib/changed", strings.Repeat(string(randomBytes(seed+100, 7<<20)), 5)))
		for i := range files {
			list = append(list, imagetest.Regular(fmt.Sprintf("lib/f%d", i), fmt.Sprint(i)))
		}
		data, err := imagetest.Tar(list...)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	reg := registrytest.New()
	pack := func(changed uint64, tag string, files int) {
		whole := chunkedWith(t, version(changed+2, 1), false, window)
		whole.annotations = nil
		serveAll(t, reg, tag, chunkedWith(t, version(0, files+int(changed)), true, window), whole, stargzOf(t, version(1, files+int(changed))))
	}
	pack(0, "v1", 10)
	pack(10, "v2", 15_000)
	host := reg.Start(t)
	s := openStore(t, Options{Platform: "linux/amd64"})
	pullDelta(t, s, host, "v1", false)
	peak := newPeak(t, 64<<20)
	_, deltas := pullDelta(t, s, host, "v2", false)
	if len(deltas) != 2 || deltas[0].Err != nil || deltas[1].Err != nil || deltas[0].Reused < large || deltas[1].Reused < large {
		t.Errorf("the layers came as %+v", deltas)
	}
	peak.check(t)
}

// A table that lies, a registry without ranges, a file of the store that is damaged: the whole layer comes, and nobody notices.
func TestPullOfAChangedFileFallsBack(t *testing.T) {
	needRoot(t)
	first, second := versionOf(t, 7), versionOf(t, 700)
	for name, c := range map[string]struct {
		spoil func(t *testing.T, reg *registrytest.Registry, s *Store, p *packed, old Image)
		quiet bool // there is nothing to say
	}{
		"a table that is not the one of the manifest": {spoil: func(_ *testing.T, _ *registrytest.Registry, _ *Store, p *packed, _ Image) {
			p.annotations["io.github.containers.zstd-chunked.manifest-checksum"] = imagetest.Digest(nil)
		}},
		"a position that is nowhere": {spoil: func(_ *testing.T, _ *registrytest.Registry, _ *Store, p *packed, _ Image) {
			p.annotations["io.github.containers.zstd-chunked.manifest-position"] = "1:99999999999999:3:1"
		}},
		"a tar-split of another layer": {spoil: func(t *testing.T, _ *registrytest.Registry, _ *Store, p *packed, _ Image) {
			other := chunkedOf(t, versionOf(t, 900), true)
			p.annotations["io.github.containers.zstd-chunked.tarsplit-position"] = strings.Replace(other.annotations["io.github.containers.zstd-chunked.manifest-position"], ":1", "", 1)
		}},
		"no ranges": {spoil: func(_ *testing.T, reg *registrytest.Registry, _ *Store, _ *packed, _ Image) { reg.NoRange = true }},
		"parts of another blob": {spoil: func(_ *testing.T, reg *registrytest.Registry, _ *Store, p *packed, _ Image) {
			parts := 0
			reg.Before = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				var from, to int
				if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n != 2 {
					return false
				}
				if parts++; parts <= 2 { // the tables
					return false
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(p.blob)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(make([]byte, to-from+1))
				return true
			}
		}},
		"other parts than those that are asked for": {spoil: func(_ *testing.T, reg *registrytest.Registry, _ *Store, p *packed, _ Image) {
			reg.Before = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if !strings.HasPrefix(r.Header.Get("Range"), "bytes=") {
					return false
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", len(p.blob)-1, len(p.blob)-1, len(p.blob)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write([]byte("x"))
				return true
			}
		}},
		"a file that is damaged": {spoil: func(t *testing.T, _ *registrytest.Registry, _ *Store, _ *packed, old Image) {
			if err := os.WriteFile(filepath.Join(old.Layers[0], "bin/f3"), randomBytes(99, fileSize+300), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		"a file that is gone": {spoil: func(t *testing.T, _ *registrytest.Registry, _ *Store, _ *packed, old Image) {
			if err := os.Remove(filepath.Join(old.Layers[0], "bin/f3")); err != nil {
				t.Fatal(err)
			}
		}},
		"no table": {quiet: true, spoil: func(_ *testing.T, _ *registrytest.Registry, _ *Store, p *packed, _ Image) { p.annotations = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			reg := registrytest.New()
			old, changed := chunkedOf(t, first, true), chunkedOf(t, second, true)
			old.serve(t, reg, "v1")
			host := reg.Start(t)
			s := openStore(t, Options{})
			img, _ := pullDelta(t, s, host, "v1", false)
			c.spoil(t, reg, s, &changed, img)
			changed.serve(t, reg, "v2")
			img, deltas := pullDelta(t, s, host, "v2", false)
			switch {
			case c.quiet && len(deltas) != 0, !c.quiet && (len(deltas) != 1 || deltas[0].Err == nil):
				t.Errorf("the layer came as %+v", deltas)
			}
			if got, err := os.ReadFile(filepath.Join(img.Layers[0], "bin/f7")); err != nil || !bytes.Equal(got, randomBytes(700, fileSize+700)) {
				t.Errorf("the changed file is wrong: %v", err)
			}
			if left, err := filepath.Glob(filepath.Join(s.dir("tmp"), "*")); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// On a file system that can, a file that is there is shared with the layer that is put together, and takes no room twice.
func TestPullByFileSharesBlocks(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	reg := registrytest.New()
	first, second := chunkedOf(t, versionOf(t, 7), true), chunkedOf(t, versionOf(t, 700), true)
	first.serve(t, reg, "v1")
	second.serve(t, reg, "v2")
	host := reg.Start(t)
	for _, kind := range []string{"xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			d := newDisk(t, kind)
			if out, err := exec.Command("mount", "-o", "loop", d.file, d.mount).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			defer func() { _ = unix.Unmount(d.mount, unix.MNT_DETACH) }()
			s := must(t, func() (*Store, error) { return Open(d.mount+"/store", Options{}) })
			free := func() int64 {
				t.Helper()
				if err := syncFilesystem(d.mount); err != nil {
					t.Fatal(err)
				}
				var st unix.Statfs_t
				if err := unix.Statfs(d.mount, &st); err != nil {
					t.Fatal(err)
				}
				return int64(st.Bfree) * st.Bsize
			}
			pullDelta(t, s, host, "v1", false)
			before := free()
			_, deltas := pullDelta(t, s, host, "v2", false)
			if len(deltas) != 1 || deltas[0].Err != nil {
				t.Fatalf("the layer came as %+v", deltas)
			}
			if took := before - free(); took > 3<<20 {
				t.Errorf("it takes %d bytes more, and %d were there", took, deltas[0].Reused)
			}
			for _, v := range verifyAll(t, s, false) {
				if v.Err != nil || len(v.Differences) > 0 {
					t.Errorf("it differs: %+v", v)
				}
			}
		})
	}
}

// A table of contents is asked for only where enough is there that may be in the layer.
func TestTablesAreWorthIt(t *testing.T) {
	needRoot(t)
	reg := registrytest.New()
	old, changed := chunkedOf(t, versionOf(t, 7), true), chunkedOf(t, versionOf(t, 700), true)
	changed.serve(t, reg, "v2")
	reg.Add(t, "little", "v1", imagetest.Image{Architecture: "amd64", Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("x", string(randomBytes(1, 500<<10)))}}}})
	host := reg.Start(t)
	s := openStore(t, Options{Platform: "linux/amd64"})
	if _, err := pullFrom(s, impatient(), host, "little:v1"); err != nil {
		t.Fatal(err)
	}
	before := reg.Served()
	if _, deltas := pullDelta(t, s, host, "v2", false); len(deltas) != 0 {
		t.Errorf("half a megabyte may be of use for six: %+v", deltas)
	}
	if came := reg.Served() - before; came > int64(len(changed.blob))+1000 {
		t.Errorf("%d bytes came of %d", came, len(changed.blob))
	}
	for name, c := range map[string]struct {
		l     delta.Layer
		there int64
		worth bool
	}{
		"an empty store": {delta.Layer{Size: 1 << 20}, 0, false},
		"too little":     {delta.Layer{Size: 1 << 20}, 200 << 10, false},
		"enough":         {delta.Layer{Size: 1 << 20}, 300 << 10, true},
		"a small layer":  {delta.Layer{Size: 100 << 10}, 300 << 20, false},
		"as annotations": {delta.Layer{Size: int64(len(old.blob)), Annotations: old.annotations}, 10 << 20, true},
		"tables too large": {delta.Layer{Size: 1 << 20, Annotations: map[string]string{
			"io.github.containers.zstd-chunked.manifest-position": "1000:300000:3000000:1",
		}}, 10 << 20, false},
	} {
		if got := c.l.Worth(c.there); got != c.worth {
			t.Errorf("%s: %t", name, got)
		}
	}
}
