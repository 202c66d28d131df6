package images

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync/atomic"
)

// limits bound what one layer may do to the machine.
type limits struct {
	bytes int64 // of all files together, holes included
	files int   // entries, and directories made for them
	ratio int64 // bytes written for each compressed byte, beyond ratioFrom
}

// ratioFrom: small layers may compress as well as they like.
const ratioFrom = 32 << 20

// unpacked is what one layer has become.
type unpacked struct {
	diffID   string // sha256:... of the plain tar
	blobID   string // sha256:... of the bytes as they stood in the archive
	blobSize int64
	size     int64 // of all regular files
	files    int
	implicit []string
	opaque   bool
}

// meter counts and hashes the bytes of a blob as they are read.
type meter struct {
	r    io.Reader
	hash hash.Hash
	n    atomic.Int64 // read by the unpacker while the pump's goroutine adds
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	_, _ = m.hash.Write(b[:n]) // never fails (hash.Hash)
	m.n.Add(int64(n))
	return n, err
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// unpackLayer reads one layer blob to its end and unpacks it into the empty directory dir.
func unpackLayer(ctx context.Context, blob io.Reader, dir string, l limits) (u unpacked, err error) {
	m := &meter{r: blob, hash: sha256.New()}
	raw := bufio.NewReaderSize(m, pumpChunk)
	z, err := decompress(raw)
	if err != nil {
		return unpacked{}, tarError(err)
	}
	p := newPump(z, sha256.New())
	defer func() {
		p.close()
		if cerr := z.Close(); err == nil {
			err = cerr // a decoder repeats here what Read has said
		}
	}()
	t, err := newTree(dir, l.files)
	if err != nil {
		return unpacked{}, err
	}
	size, err := t.unpack(ctx, p, m, l)
	if cerr := t.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return unpacked{}, tarError(err)
	}
	p.close()
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return unpacked{}, tarError(err)
	}
	u = unpacked{diffID: digestOf(p.hash), blobID: digestOf(m.hash), blobSize: m.n.Load(), size: size, opaque: t.opaque}
	u.files = l.files - t.budget
	for d := range t.implicit {
		u.implicit = append(u.implicit, d)
	}
	return u, nil
}

// unpack goes through the tar and then through what follows it: all of it counts for the diffID.
func (t *tree) unpack(ctx context.Context, p *pump, m *meter, l limits) (size int64, err error) {
	buf := make([]byte, pumpChunk)
	r := tar.NewReader(p)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if h.Typeflag != tar.TypeLink && h.Typeflag != tar.TypeSymlink {
			size += h.Size
		}
		if h.Size < 0 || size < 0 || size > l.bytes {
			return 0, refusef("its files are larger than the limit of %d bytes together", l.bytes)
		}
		if err := t.add(h, r, buf); err != nil {
			return 0, err
		}
		if err := l.check(p.size, t.written, m.n.Load()); err != nil {
			return 0, err
		}
	}
	return size, drain(ctx, p, l, buf)
}

// drain reads what follows the tar's trailer.
func drain(ctx context.Context, p *pump, l limits, buf []byte) error {
	for {
		_, err := p.Read(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = l.check(p.size, 0, 0)
		}
		if err != nil {
			return err
		}
	}
}

// check compares the bytes of the tar so far, those of them that were written, and those of the blob read for them.
func (l limits) check(tarred, written, read int64) error {
	if tarred > 2*l.bytes {
		return refusef("it is larger than the limit of %d bytes", l.bytes)
	}
	if written > ratioFrom && written/l.ratio > read {
		return refusef("it inflates more than %d times, as a decompression bomb does", l.ratio)
	}
	return nil
}

// tarError tells a damaged tar from a machine that failed.
func tarError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return truncatedf("its data end too early")
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return refusef("it is no valid tar")
	}
	return err
}
