// Package delta fetches of a layer only the files that the machine has not got.
//
// Layers that are compressed as zstd:chunked or eStargz have a table of contents: which file's content begins at which byte
// of the blob, and its digest. What the machine has is copied, the rest is asked for by ranges, and the tar is put together
// again as it was. Nobody has to believe the table: whoever unpacks the tar compares its digest with the image's
// configuration, and takes the whole layer if it is another one.
package delta

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// ErrNotWorth: the layer has no table, or most of it would have to be fetched all the same.
var ErrNotWorth = errors.New("the layer is fetched whole")

// Layer is a blob as the manifest describes it.
type Layer struct {
	Digest      string
	Size        int64
	Annotations map[string]string
}

// Ranges gives the bytes from from to before to of a blob. What is read is not verified.
type Ranges interface {
	Range(ctx context.Context, digest string, size, from, to int64) (io.ReadCloser, error)
}

// Sum is the SHA-256 of a file's content.
type Sum [32]byte

// Find says where files with some of the sums are: the answer has those that are there.
type Find func(want map[Sum]bool) map[Sum]string

// Plan is a layer that is worth it.
type Plan struct {
	Fetch  int64 // bytes that are asked for, the tables included
	Reused int64 // bytes of files that the machine has

	layer Layer
	src   Ranges
	table *table
	local map[Sum]string
	runs  []span // to ask for, in their order
}

// span is from before to of a blob.
type span struct{ from, to int64 }

// A request costs about what this many bytes do: what lies between two parts and is less is fetched with them.
const requestWorth = 16 << 10

// Limits of tables: they are a stranger's, and held in memory.
const (
	maxTable   = 8 << 20 // of a table's JSON
	maxEntries = 40_000  // an honest one has 200 bytes each, and here it takes 500
	maxSplit   = 4 << 20 // of a tar-split, compressed
	// maxPlainSplit is of a tar-split: an honest one has a kilobyte for each entry.
	maxPlainSplit = 128 << 20
)

// Worth says, before anything is asked for, whether there may be enough on the machine for a table to be of use: there is
// bytes of files that may be in the layer.
func (l Layer) Worth(there int64) bool {
	if l.Size < 8*requestWorth || there < l.Size/5 {
		return false
	}
	return l.tables() < l.Size/5
}

// tables is how many bytes the tables of contents have, as far as the annotations tell.
func (l Layer) tables() (n int64) {
	for _, prefix := range chunkedPrefixes {
		for _, name := range []string{"manifest-position", "tarsplit-position"} {
			if at, ok := position(l.Annotations[prefix+name], l.Size); ok {
				n += at.to - at.from
			}
		}
	}
	return n
}

// Prepare reads the table of a layer and looks what of it is on the machine.
func Prepare(ctx context.Context, src Ranges, l Layer, find Find) (*Plan, error) {
	t, err := readTable(ctx, src, l)
	if err != nil {
		return nil, err
	}
	p := &Plan{layer: l, src: src, table: t, Fetch: t.read}
	p.find(find)
	if len(p.local) == 0 {
		return nil, ErrNotWorth
	}
	if err := p.plan(); err != nil {
		return nil, err
	}
	if p.Fetch > l.Size*4/5 {
		return nil, ErrNotWorth
	}
	return p, nil
}

// find looks for the files on the machine.
func (p *Plan) find(find Find) {
	want := map[Sum]bool{}
	for i := range p.table.pieces {
		if piece := &p.table.pieces[i]; piece.size > 0 && piece.hasSum {
			want[piece.sum] = true
		}
	}
	p.local = find(want)
}

// plan decides what is asked for: the pieces that the machine lacks, and small ones between them.
func (p *Plan) plan() error {
	var end int64
	for i := range p.table.pieces {
		piece := &p.table.pieces[i]
		if piece.at.to <= piece.at.from {
			continue // nothing of it is in the blob
		}
		if piece.at.from < end {
			return fmt.Errorf("its table of contents is not in the order of the blob")
		}
		end = piece.at.to
		if _, ok := p.local[piece.sum]; ok && piece.hasSum && piece.size > 0 {
			piece.local = true
			continue
		}
		if n := len(p.runs); n > 0 && piece.at.from-p.runs[n-1].to < requestWorth {
			p.runs[n-1].to = piece.at.to
		} else {
			p.runs = append(p.runs, piece.at)
		}
	}
	for _, run := range p.runs {
		p.Fetch += run.to - run.from
	}
	for i := range p.table.pieces {
		if piece := &p.table.pieces[i]; piece.local {
			p.Reused += piece.size
		}
	}
	return nil
}

// memory is what reading takes, beside the plan.
func (p *Plan) memory() int64 {
	switch {
	case p.table.gzip:
		return 0
	case p.table.split == nil:
		return maxWindow
	}
	return maxWindow + 2*splitWindow
}

// Open gives the plain tar. It ends with an error where a range is not given, or a file is not what it was.
func (p *Plan) Open(ctx context.Context) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	done := make(chan struct{})
	o := &opened{PipeReader: r, cancel: cancel, done: done, memory: p.memory(), made: made{w: w, files: map[int64]string{}}}
	go func() {
		defer close(done)
		if _, err := o.made.Write(nil); err != nil { // until somebody reads: nothing is asked for, and no memory taken
			return
		}
		a := &assembly{ctx: ctx, p: p, w: &o.made, made: &o.made}
		err := a.run()
		a.close()
		_ = w.CloseWithError(err) // always nil (io.PipeWriter)
	}()
	return o
}

type opened struct {
	*io.PipeReader

	cancel context.CancelFunc
	done   chan struct{}
	memory int64
	made   made
}

// Memory implements layer.Memory.
func (o *opened) Memory() int64 { return o.memory }

// Where implements layer.Local.
func (o *opened) Where(offset int64) string { return o.made.where(offset) }

// made is the tar as far as it was written.
type made struct {
	w     io.Writer
	mu    sync.Mutex
	off   int64
	files map[int64]string // contents that are files of the machine, by their offsets; each is asked for once
}

func (m *made) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.mu.Lock()
	m.off += int64(n)
	m.mu.Unlock()
	return n, err
}

// mostAhead is more files than whoever reads the tar reads ahead.
const mostAhead = 256

// begins says that the bytes that come are those of a file.
func (m *made) begins(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.files) > mostAhead {
		clear(m.files) // nobody asks
	}
	m.files[m.off] = path
}

func (m *made) where(offset int64) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := m.files[offset]
	delete(m.files, offset)
	return path
}

// Close waits until nothing reads from the registry or the machine any more.
func (o *opened) Close() error {
	o.cancel()
	err := o.PipeReader.Close()
	<-o.done
	return err
}

func parseSum(digest string) (s Sum, ok bool) {
	text, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(text) != 2*len(s) {
		return s, false
	}
	_, err := hex.Decode(s[:], []byte(text))
	return s, err == nil
}
