package images

import (
	"context"
	"errors"
	"io"

	"podd/images/archive"
	"podd/images/layer"
)

// PlainLayer is a layer as somebody gives it who has unpacked it: a plain tar. What is read of it is not verified.
type PlainLayer struct {
	io.ReadCloser

	Size int64
	// Refuse is told why it was not what it should be: whoever gave it is not asked again.
	Refuse func(err error)
}

// stagePlain takes a layer from a neighbour, whatever it takes for one to have it. False: none has.
func (p *pulled) stagePlain(ctx context.Context, ref archive.Layer, st *layer.Staging) bool {
	if p.o.Plain == nil || st.Staged(ref.DiffID) != nil {
		return false
	}
	if _, known := st.Known(ref.DiffID); known {
		return false
	}
	for {
		from := p.o.Plain(ctx, ref.DiffID, p.mostOf(ref))
		if from == nil {
			return false
		}
		var in io.Reader = from
		if p.o.Watch != nil {
			in = p.o.Watch(ref.Blob, from.Size, in)
		}
		l, err := st.UnpackAs(ctx, in, ref.DiffID)
		_ = from.Close() // the digest tells whether all has come
		if err == nil {
			l.BlobID, l.BlobSize = ref.Blob, max(ref.Size, 0) // of the same tar
			return true
		}
		if ctx.Err() != nil || outOfSpace(err) || errors.Is(err, layer.ErrStagingGone) {
			return false // which is nobody's fault there
		}
		from.Refuse(err)
	}
}

// mostOf is how large the tar of a layer can be: a neighbour that lies does not fill the disk with it.
func (p *pulled) mostOf(ref archive.Layer) int64 {
	limits := p.store.limits
	most := limits.Bytes + int64(limits.Files)<<10
	if ref.Size > 0 {
		most = min(most, layer.RatioFrom+limits.Ratio*ref.Size)
	}
	if free := p.missing.Free[0]; free >= 0 {
		most = min(most, free)
	}
	return most
}
