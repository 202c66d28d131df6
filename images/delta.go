package images

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"podd/images/archive"
	"podd/images/delta"
	"podd/images/layer"
)

// Delta is what became of a layer that was fetched by file.
type Delta struct {
	Digest  string // of the layer
	Size    int64  // bytes of the whole layer
	Fetched int64  // bytes that came
	Reused  int64  // bytes of files that were there
	Err     error  // why the whole layer is fetched after all
}

// oneTable is had by the one layer whose table of contents is in memory: it may take 24 MiB, beside the decoders of all layers.
var oneTable = make(chan struct{}, 1)

// stageDelta fetches of a layer only the files that the store has not got. False: the layer is to be fetched whole.
func (p *pulled) stageDelta(ctx context.Context, ref archive.Layer, st *layer.Staging) bool {
	if p.o.Whole || ref.Size <= 0 || len(ref.Annotations) == 0 || st.Staged(ref.DiffID) != nil {
		return false
	}
	if _, known := st.Known(ref.DiffID); known {
		return false
	}
	l := delta.Layer{Digest: ref.Blob, Size: ref.Size, Annotations: ref.Annotations}
	if !l.Worth(p.others) { // the table would be fetched for nothing
		return false
	}
	select {
	case oneTable <- struct{}{}:
		defer func() { <-oneTable }()
	case <-ctx.Done():
		return false
	}
	src := &countedRanges{p: p}
	plan, err := delta.Prepare(ctx, src, l, p.store.loads().findFiles)
	if err != nil {
		if !errors.Is(err, delta.ErrNotWorth) {
			p.tellDelta(Delta{Digest: ref.Blob, Size: ref.Size, Fetched: src.n, Err: err})
		}
		return false
	}
	r := plan.Open(ctx)
	staged, err := st.UnpackAs(ctx, r, ref.DiffID)
	_ = r.Close() // the digest tells whether all has come
	if errors.Is(err, layer.ErrOtherLayer) {
		err = errors.New("what was put together is another layer")
	}
	if err == nil {
		staged.BlobID, staged.BlobSize = ref.Blob, ref.Size // of the same tar
	}
	p.tellDelta(Delta{Digest: ref.Blob, Size: ref.Size, Fetched: src.n, Reused: plan.Reused, Err: err})
	return err == nil
}

func (p *pulled) tellDelta(d Delta) {
	if p.o.Delta != nil {
		p.o.Delta(d)
	}
}

// countedRanges counts what comes of a layer by parts.
type countedRanges struct {
	p *pulled
	n int64
}

func (c *countedRanges) Range(ctx context.Context, digest string, size, from, to int64) (io.ReadCloser, error) {
	r, err := c.p.src.Range(ctx, digest, size, from, to)
	if err != nil {
		return nil, err
	}
	c.n += to - from
	return &struct {
		io.Reader
		io.Closer
	}{&counted{r, c.p}, r}, nil
}

// others is how many bytes of files there are in layers of the store that are not of the image itself.
func (lo loads) others(c *archive.Image) (n int64) {
	own := map[string]bool{}
	for _, l := range c.Layers {
		own[l.DiffID] = true
	}
	for key, l := range lo.s.state.Load().layers {
		if key == l.DiffID && !own[key] { // each is there by its blob, too
			n += l.Size
		}
	}
	return n
}

// findFiles looks for files by the sums of their contents in all layers that the store has.
func (lo loads) findFiles(want map[delta.Sum]bool) map[delta.Sum]string {
	found := map[delta.Sum]string{}
	for _, l := range lo.s.state.Load().layers {
		if len(found) == len(want) {
			break
		}
		// A ledger that cannot be read has nothing to give.
		_ = layer.FindFiles(lo.s.checks().ledgerFile(l.Dir), func(sum [32]byte) bool { return want[sum] && found[sum] == "" }, func(sum [32]byte, path string) {
			found[sum] = filepath.Join(lo.s.dir("l"), l.Dir, path)
		})
	}
	return found
}
