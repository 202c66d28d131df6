package delta

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"podd/images/layer"
)

// blobOf is a blob that is asked for by ranges.
type blobOf []byte

func (b blobOf) Range(_ context.Context, _ string, _, from, to int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b[from:to])), nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func compressed(t *testing.T, data []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = enc.Close() }()
	return enc.EncodeAll(data, nil)
}

// chunkedBlob is a layer as zstd:chunked after contents, with a table and a tar-split; an empty one is none.
func chunkedBlob(t *testing.T, contents []byte, table, split string) (blobOf, Layer) {
	t.Helper()
	const prefix = "io.github.containers.zstd-chunked."
	blob, annotations := bytes.Clone(contents), map[string]string{}
	put := func(name string, plain string) []byte {
		data := compressed(t, []byte(plain))
		blob = append(blob, make([]byte, 8)...) // of a skippable frame: nobody reads it
		annotations[prefix+name] = fmt.Sprintf("%d:%d:%d:1", len(blob), len(data), len(plain))
		blob = append(blob, data...)
		return data
	}
	if split != "" {
		put("tarsplit-position", split)
	}
	z := put("manifest-position", table)
	annotations[prefix+"manifest-checksum"] = digestOf(z)
	return blob, Layer{Digest: digestOf(blob), Size: int64(len(blob)), Annotations: annotations}
}

// stargzBlob is a layer as eStargz after what, with its table, which is a tar that has toc.
func stargzBlob(t *testing.T, what, table, toc []byte) (blobOf, Layer) {
	t.Helper()
	var blob bytes.Buffer
	blob.Write(what)
	z := gzip.NewWriter(&blob)
	_, err := z.Write(table)
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	footer := make([]byte, stargzFooter)
	copy(footer, []byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 26, 0, 'S', 'G', 22, 0})
	copy(footer[16:], fmt.Sprintf("%016xSTARGZ", len(what)))
	blob.Write(footer)
	return blob.Bytes(), Layer{
		Digest: digestOf(blob.Bytes()), Size: int64(blob.Len()),
		Annotations: map[string]string{"containerd.io/snapshot/stargz/toc.digest": digestOf(toc)},
	}
}

func nothing(map[Sum]bool) map[Sum]string { return nil }

// A table that is small in the blob and large in memory is given up before it is.
func TestTableThatGrows(t *testing.T) {
	list := "[" + strings.Repeat("{},", maxEntries-1) + "{}]"
	several := `{"version":1,"entries":` + list + `,"entries":` + list + "}"
	// The smallest tar of a sparse file that says to have 16 MiB. GNU's format, version 1.0
	var records bytes.Buffer
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=t", fmt.Sprintf("GNU.sparse.realsize=%d", 16<<20)} {
		n := len(r) + 4
		if n < 10 || n > 99 {
			t.Fatalf("the record %q has another length of its length", r)
		}
		fmt.Fprintf(&records, "%d %s\n", n, r)
	}
	var sparse bytes.Buffer
	header := func(name string, kind byte, size int) {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", size))
		copy(h[148:], "        ")
		h[156] = kind
		copy(h[257:], "ustar\x0000")
		var sum int
		for _, b := range h {
			sum += int(b)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		sparse.Write(h)
	}
	pad := func() { sparse.Write(make([]byte, -sparse.Len()&511)) }
	header("p", tar.TypeXHeader, records.Len())
	sparse.Write(records.Bytes())
	pad()
	header("t", tar.TypeReg, 512)
	sparse.WriteString("0\n")
	pad()
	sparse.Write(make([]byte, 1024))
	if h, err := tar.NewReader(bytes.NewReader(sparse.Bytes())).Next(); err != nil || h.Size != 16<<20 {
		t.Fatalf("it is no sparse file: %+v, %v", h, err)
	}

	for name, c := range map[string]struct {
		blob func() (blobOf, Layer)
		want string
	}{
		"several lists of entries": {func() (blobOf, Layer) { return chunkedBlob(t, nil, several, "") }, "more than 40000 entries"},
		"a large table": {func() (blobOf, Layer) {
			return chunkedBlob(t, nil, `{"version":1,"entries":[]`+strings.Repeat(" ", maxTable)+"}", "")
		}, "larger than 8 MiB"},
		"a table larger than it says": {func() (blobOf, Layer) {
			blob, l := chunkedBlob(t, nil, `{"version":1,"entries":[]`+strings.Repeat(" ", 16<<20)+"}", "")
			const name = "io.github.containers.zstd-chunked.manifest-position"
			l.Annotations[name] = strings.Replace(l.Annotations[name], fmt.Sprint(16<<20+26), "1000", 1)
			return blob, l
		}, "table of contents is damaged"},
		"a sparse table": {func() (blobOf, Layer) {
			return stargzBlob(t, []byte("x"), sparse.Bytes(), make([]byte, 16<<20))
		}, "larger than 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			blob, l := c.blob()
			if _, err := Prepare(context.Background(), blob, l, nothing); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it is taken: %v", err)
			}
		})
	}
}

// largeTables are layers of both kinds with tables of as many entries as are taken.
func largeTables(t *testing.T) map[string]func() (blobOf, Layer) {
	t.Helper()
	var list, split strings.Builder
	for i := range maxEntries {
		if i > 0 {
			list.WriteByte(',')
		}
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		name := fmt.Sprintf("usr/lib/some/folder/%d", i)
		fmt.Fprintf(&list, `{"type":"reg","name":%q,"size":9,"digest":"sha256:%x","offset":%d,"endOffset":%d}`, name, sum, 10*i+8, 10*i+17)
		head := base64.StdEncoding.EncodeToString(append(sum[:], make([]byte, 480)...))
		fmt.Fprintf(&split, `{"type":2,"payload":%q}`+"\n"+`{"type":1,"name":%q,"size":9}`+"\n", head, name)
	}
	contents, toc := make([]byte, 10*maxEntries+20), `{"version":1,"entries":[`+list.String()+"]}"
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: "stargz.index.json", Size: int64(len(toc)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write([]byte(toc))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return map[string]func() (blobOf, Layer){
		"zstd:chunked": func() (blobOf, Layer) { return chunkedBlob(t, contents, toc, split.String()) },
		"eStargz":      func() (blobOf, Layer) { return stargzBlob(t, contents, b.Bytes(), []byte(toc)) },
	}
}

// The largest table that is taken, and where its files are on the machine, leave room beside the decoders of all layers.
func TestMemoryOfALargeTable(t *testing.T) {
	for name, layer := range largeTables(t) {
		blob, l := layer()
		before := heapInUse()
		table, err := readTable(t.Context(), blob, l)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := &Plan{layer: l, src: blob, table: table}
		p.find(func(want map[Sum]bool) map[Sum]string {
			found := map[Sum]string{}
			for sum := range want {
				found[sum] = fmt.Sprintf("/var/lib/podd/images/l/0123456789/usr/lib/some/folder/%x", sum[:8])
			}
			return found
		})
		if n := heapInUse() - before; n > 24<<20 {
			t.Errorf("%s: it takes %d KiB", name, n>>10)
		} else {
			t.Logf("%s: %d KiB", name, n>>10)
		}
		runtime.KeepAlive(p)
		runtime.KeepAlive(blob)
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// local makes a plan of a layer of one file, of which the table says size, and that is on the machine with content.
func local(t *testing.T, content []byte, size int, split string) *Plan {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	contents := make([]byte, 1<<20)
	table := fmt.Sprintf(`{"version":1,"entries":[{"type":"reg","name":"f","size":%d,"digest":%q,"offset":8,"endOffset":%d}]}`,
		size, digestOf(content), len(contents))
	blob, l := chunkedBlob(t, contents, table, split)
	p, err := Prepare(context.Background(), blob, l, func(want map[Sum]bool) map[Sum]string {
		found := map[Sum]string{}
		for sum := range want {
			found[sum] = path
		}
		return found
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readAll(p *Plan) ([]byte, error) {
	r := p.Open(context.Background())
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// A line of a tar-split is held in memory: one that decompresses to whatever its author likes ends the attempt. All of them
// together may be long.
func TestTarSplitWithALongLine(t *testing.T) {
	line := func(n int) string {
		return fmt.Sprintf(`{"type":2,"payload":%q}`, base64.StdEncoding.EncodeToString(make([]byte, n))) + "\n"
	}
	content := []byte("content")
	if data, err := readAll(local(t, content, len(content), strings.Repeat(line(1<<20), 10))); err != nil || len(data) != 10<<20 {
		t.Errorf("long ones in number: %d bytes, %v", len(data), err)
	}
	if data, err := readAll(local(t, content, len(content), line(8<<20))); err == nil || !strings.Contains(err.Error(), "a line is longer than 4 MiB") {
		t.Errorf("a long one is taken: %d bytes, %v", len(data), err)
	}
}

// A table that gives a file of the machine another size gets nothing of it: on file systems that share blocks, the layer would
// have all of the file where its digest has a part.
func TestPartOfALocalFile(t *testing.T) {
	content := []byte("known, and then a secret")
	split := func(n int) string { return fmt.Sprintf(`{"type":1,"name":"f","size":%d}`, n) }
	if data, err := readAll(local(t, content, len(content), split(len(content)))); err != nil || !bytes.Equal(data, content) {
		t.Errorf("all of it: %q, %v", data, err)
	}
	for _, n := range []int{5, len(content) + 1} {
		if data, err := readAll(local(t, content, n, split(n))); err == nil || len(data) > 0 {
			t.Errorf("%d bytes of it: %q, %v", n, data, err)
		}
	}
}

// Nothing is asked for, and no memory is taken, before whoever unpacks the tar has got what it takes.
func TestOpenWaitsForItsReader(t *testing.T) {
	content := []byte("content")
	for split, want := range map[string]int64{"": maxWindow, `{"type":1,"name":"f","size":7}`: maxWindow + 2*splitWindow} {
		asked := make(chan struct{}, 9)
		p := local(t, content, len(content), split)
		p.src = telling{p.src, asked}
		p.local = nil
		p.table.pieces[len(p.table.pieces)-1].local, p.runs = false, []span{{0, 1 << 20}}
		r := p.Open(t.Context())
		if m, ok := r.(layer.Memory); !ok || m.Memory() != want {
			t.Errorf("it says to take %v", r)
		}
		_ = r.Close() // when it has ended
		if len(asked) > 0 {
			t.Error("something was asked for")
		}
		r = p.Open(t.Context())
		_, _ = io.ReadAll(r)
		_ = r.Close()
		if len(asked) == 0 {
			t.Error("nothing is ever asked for")
		}
	}
}

// telling says that it was asked.
type telling struct {
	Ranges

	asked chan struct{}
}

func (a telling) Range(ctx context.Context, digest string, size, from, to int64) (io.ReadCloser, error) {
	a.asked <- struct{}{}
	return a.Ranges.Range(ctx, digest, size, from, to)
}

// Sizes of chunks that are negative, or more together than a number can be, are those of no file.
func TestSizesOfChunks(t *testing.T) {
	for name, c := range map[string]struct {
		entries string
		good    bool
	}{
		"two chunks":     {`{"type":"reg","name":"f","size":9,"offset":1,"chunkSize":4},{"type":"chunk","name":"f","offset":2,"chunkOffset":4,"chunkSize":5}`, true},
		"less than none": {`{"type":"reg","name":"f","size":9,"offset":1,"chunkSize":-4}`, false},
		"a later one":    {`{"type":"reg","name":"f","size":9,"offset":1,"chunkSize":4},{"type":"chunk","name":"f","offset":2,"chunkOffset":4,"chunkSize":-1}`, false},
		"endless":        {`{"type":"reg","name":"f","size":9,"offset":1,"chunkSize":4},{"type":"chunk","name":"f","offset":2,"chunkOffset":4,"chunkSize":9223372036854775807}`, false},
		"a file":         {`{"type":"reg","name":"f","size":-9,"offset":1},{"type":"chunk","name":"f","offset":2,"chunkOffset":0,"chunkSize":1}`, false},
	} {
		entries, err := stargzEntries([]byte(`{"version":1,"entries":[` + c.entries + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		table := &table{gzip: true}
		if err := table.stargz(entries, 9); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
