package delta

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// assembly writes the tar of a plan.
type assembly struct {
	ctx  context.Context //nolint:containedctx // it is one run's
	p    *Plan
	w    io.Writer
	made *made // of w
	nth  int
	body io.ReadCloser // of the run that is being read
	off  int64         // of the next byte of it
	z    *zstd.Decoder
	g    *gzip.Reader
}

func (a *assembly) run() error {
	if a.p.table.split != nil {
		return a.bySplit()
	}
	for i := range a.p.table.pieces {
		if err := a.piece(&a.p.table.pieces[i]); err != nil {
			return err
		}
	}
	_, err := a.w.Write(make([]byte, a.p.table.padding))
	if err == nil {
		_, err = a.w.Write(a.p.table.tail)
	}
	return err
}

func (a *assembly) close() {
	if a.body != nil {
		_ = a.body.Close() // only read
	}
	if a.z != nil {
		a.z.Close()
	}
}

// maxLine bounds a line of a tar-split: the longest are what follows the end of a tar, in pieces of 1 MiB. A stranger's may
// decompress to gigabytes, and each is held in memory.
const maxLine = 4 << 20

// metered gives bytes until none are left to give.
type metered struct {
	r    io.Reader
	left int64
}

func (m *metered) Read(b []byte) (int, error) {
	if m.left == 0 {
		return 0, fmt.Errorf("a line is longer than %d MiB", maxLine>>20)
	}
	n, err := m.r.Read(b[:min(int64(len(b)), m.left)])
	m.left -= int64(n)
	return n, err
}

// maxWindow bounds the memory of a decoder, as when a layer is fetched whole. Debian's skopeo writes so much.
const maxWindow = 32 << 20

// splitEntry is a line of a tar-split. github.com/vbatts/tar-split/tar/storage
type splitEntry struct {
	Type    int    `json:"type"` // 1: a file, 2: bytes of the tar
	Name    string `json:"name"`
	NameRaw []byte `json:"name_raw"`
	Size    int64  `json:"size"`
	Payload []byte `json:"payload"`
}

// bySplit puts the tar together as the tar-split says: bytes, and contents in their order.
func (a *assembly) bySplit() error {
	split, err := a.repackSplit()
	if err != nil {
		return err
	}
	z, err := zstd.NewReader(bytes.NewReader(split), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(splitWindow))
	if err != nil {
		return err
	}
	defer z.Close()
	in := &metered{r: z}
	lines, pieces := json.NewDecoder(in), a.p.table.pieces
	for {
		in.left = maxLine
		var e splitEntry
		err := lines.Decode(&e)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("its tar-split is damaged: %w", err)
		}
		switch {
		case e.Type == 2:
			_, err = a.w.Write(e.Payload)
		case e.Size > 0:
			if len(pieces) == 0 || pieces[0].size != e.Size {
				return errTable
			}
			err = a.piece(&pieces[0])
			pieces = pieces[1:]
		}
		if err != nil {
			return err
		}
	}
}

// splitWindow is that of a tar-split while it is read beside the contents.
const splitWindow = 512 << 10

// repackSplit compresses the tar-split again, with a small window: read as it is, it would take a second decoder of as much
// memory as that of the contents. It uses the decoder that these use afterwards.
func (a *assembly) repackSplit() ([]byte, error) {
	if err := a.decode(bytes.NewReader(a.p.table.split)); err != nil {
		return nil, err
	}
	a.p.table.split = []byte{}
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(splitWindow))
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 64<<10)
	for plain := 0; ; {
		n, err := a.z.Read(buf)
		if _, werr := z.Write(buf[:n]); werr != nil {
			return nil, werr
		}
		if plain += n; plain > maxPlainSplit || out.Len() > 2*maxSplit {
			return nil, fmt.Errorf("its tar-split is longer than %d MiB, or takes more than %d", maxPlainSplit>>20, 2*maxSplit>>20)
		}
		if errors.Is(err, io.EOF) {
			err = z.Close()
			return out.Bytes(), err
		}
		if err != nil {
			return nil, fmt.Errorf("its tar-split is damaged: %w", err)
		}
	}
}

// decode lets the decoder read something else. There is one for all: it keeps its window.
func (a *assembly) decode(r io.Reader) (err error) {
	if a.z != nil {
		return a.z.Reset(r)
	}
	a.z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	return err
}

func (a *assembly) piece(p *piece) error {
	if m := p.members; m != nil {
		head, err := a.p.table.header(m.entry)
		if err == nil {
			_, err = a.w.Write(append(make([]byte, m.padding), head...))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case p.local:
		return a.copyLocal(p)
	case p.at.to <= p.at.from:
		return nil
	case p.members != nil:
		return a.gunzip(p.members)
	}
	r, err := a.section(p.at)
	if err != nil {
		return err
	}
	return a.frames(r, p.size)
}

// copyLocal copies a file of the machine.
func (a *assembly) copyLocal(p *piece) error {
	f, err := os.Open(a.p.local[p.sum])
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	// Only a part of it must not come: whoever shares its blocks would take all of it for what the digest was made of.
	if st, err := f.Stat(); err != nil || st.Size() != p.size {
		return errors.Join(fmt.Errorf("a file of the machine has not the %d bytes of the table of contents", p.size), err)
	}
	a.made.begins(f.Name())
	n, err := io.Copy(a.w, io.LimitReader(f, p.size))
	if err == nil && n != p.size {
		err = fmt.Errorf("a file of the machine has %d bytes instead of %d", n, p.size)
	}
	return err
}

// section gives a part of the blob, which lies in one of the runs, after what was given before.
func (a *assembly) section(at span) (io.Reader, error) {
	for a.nth < len(a.p.runs) && a.p.runs[a.nth].to <= at.from {
		a.nth++
		if a.body != nil {
			_ = a.body.Close()
			a.body = nil
		}
	}
	if a.nth == len(a.p.runs) || a.p.runs[a.nth].from > at.from || a.p.runs[a.nth].to < at.to {
		return nil, errTable
	}
	if run := a.p.runs[a.nth]; a.body == nil {
		body, err := a.p.src.Range(a.ctx, a.p.layer.Digest, a.p.layer.Size, run.from, run.to)
		if err != nil {
			return nil, err
		}
		a.body, a.off = body, run.from
	}
	if at.from < a.off {
		return nil, errTable
	}
	if _, err := io.CopyN(io.Discard, a.body, at.from-a.off); err != nil {
		return nil, unexpected(err)
	}
	a.off = at.from
	return &sectionReader{a, at.to - at.from}, nil
}

// sectionReader reads of a run, and counts.
type sectionReader struct {
	a    *assembly
	left int64
}

func (s *sectionReader) Read(b []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.a.body.Read(b[:min(int64(len(b)), s.left)])
	s.left -= int64(n)
	s.a.off += int64(n)
	if s.left > 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if s.left == 0 {
		err = nil
	}
	return n, err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frames decompresses frames of zstd; size is how much is in them, 0: it is not known.
func (a *assembly) frames(r io.Reader, size int64) error {
	if err := a.decode(r); err != nil {
		return err
	}
	n, err := io.Copy(a.w, a.z)
	if err == nil && size > 0 && n != size {
		err = fmt.Errorf("a file has %d bytes where the table of contents says %d", n, size)
	}
	return err
}

// gunzip decompresses the content of a file of eStargz.
func (a *assembly) gunzip(m *members) error {
	if err := a.gunzipChunk(m.first); err != nil {
		return err
	}
	for _, c := range m.more {
		if err := a.gunzipChunk(c); err != nil {
			return err
		}
	}
	return nil
}

// gunzipChunk decompresses a chunk: what follows in its part of the blob is the next header.
func (a *assembly) gunzipChunk(c chunk) error {
	r, err := a.section(c.at)
	if err != nil {
		return err
	}
	in := bufio.NewReader(r)
	if a.g == nil {
		a.g, err = gzip.NewReader(in)
	} else {
		err = a.g.Reset(in)
	}
	if err != nil {
		return err
	}
	a.g.Multistream(false)
	if _, err := io.CopyN(a.w, a.g, c.size); err != nil {
		return unexpected(err)
	}
	_, err = io.Copy(io.Discard, in) // the next chunk begins after it
	return err
}
