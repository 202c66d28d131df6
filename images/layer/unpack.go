// Package layer unpacks the layers of images into directories that overlayfs can mount.
//
// A layer is a tar, plain or compressed with gzip or zstd, from a stranger. Each is unpacked on its own, below a directory
// that no name and no link can leave, within limits of bytes, files and compression. A deletion mark becomes overlayfs'
// own. The layers of a load are staged in a folder that nobody else sees until the store takes them.
package layer

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"runtime"
	"strings"
	"sync/atomic"

	"podd/images/fault"
)

// Limits bound what one layer may do to the machine.
type Limits struct {
	Bytes int64 // of all files together, holes included
	Files int   // entries, and directories made for them
	Ratio int64 // bytes written for each compressed byte, beyond RatioFrom
}

// RatioFrom: small layers may compress as well as they like.
const RatioFrom = 32 << 20

// unpacked is what one layer has become.
type unpacked struct {
	DiffID   string // sha256:... of the plain tar
	BlobID   string // sha256:... of the bytes as they stood in the archive
	BlobSize int64
	TarSize  int64
	Size     int64  // of all regular files
	Shape    string // as of Shape
	files    int
	Implicit []string
	Opaque   bool
	// HighestID is as of HighestID.
	HighestID uint32
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

// unpackBlob reads one layer blob to its end, unpacks it into the empty directory dir and writes its ledger beside it.
func unpackBlob(ctx context.Context, blob io.Reader, dir string, l Limits) (u unpacked, err error) {
	m := &meter{r: blob, hash: sha256.New()}
	raw := bufio.NewReaderSize(m, PumpChunk)
	var need int64
	if own, ok := blob.(Memory); ok { // it takes it as soon as it is read
		need = min(own.Memory()+smallWindow, decoding)
	} else {
		need = windowOf(raw)
	}
	release, err := decodersOf(need).take(ctx, need)
	if err != nil {
		return unpacked{}, err
	}
	defer release()
	if need > usualWindow+smallWindow {
		runtime.GC() // what another decoder of this size had is not free before
	}
	var diff hash.Hash
	if head, _ := raw.Peek(8); IsCompressed(head) { // else the blob is the tar, and has its digest
		diff = sha256.New()
	}
	z, err := Decompress(raw)
	if err != nil {
		return unpacked{}, TarError(err)
	}
	p := newPump(z, diff)
	defer func() {
		p.close()
		if cerr := z.Close(); err == nil {
			err = cerr // a decoder repeats here what Read has said
		}
	}()
	t, err := newTree(dir, l.Files)
	if err != nil {
		return unpacked{}, err
	}
	if t.ledger, err = newLedger(dir + ledgerSuffix); err != nil {
		return unpacked{}, errors.Join(err, t.close())
	}
	t.local, _ = blob.(Local)
	size, err := t.unpack(ctx, p, m, l)
	if cerr := t.close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.ledger.abandon()
		return unpacked{}, TarError(err)
	}
	shape, highest, err := t.ledger.list(dir)
	if err = errors.Join(err, t.ledger.close()); err != nil {
		return unpacked{}, err
	}
	p.close()
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return unpacked{}, TarError(err)
	}
	u = unpacked{
		DiffID: digestOf(m.hash), BlobID: digestOf(m.hash), BlobSize: m.n.Load(), TarSize: p.size, Size: size, Shape: shape, Opaque: t.opaque, HighestID: highest,
	}
	if diff != nil {
		u.DiffID = digestOf(diff)
	}
	u.files = l.Files - t.budget
	for d := range t.implicit {
		u.Implicit = append(u.Implicit, d)
	}
	return u, nil
}

// unpack goes through the tar and then through what follows it: all of it counts for the diffID.
func (t *tree) unpack(ctx context.Context, p *pump, m *meter, l Limits) (size int64, err error) {
	buf := make([]byte, PumpChunk)
	rec := &recorder{src: p, to: t.ledger}
	r := tar.NewReader(rec)
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
		if h.Size < 0 || size < 0 || size > l.Bytes {
			return 0, fault.Refusef("its files are larger than the limit of %d bytes together", l.Bytes)
		}
		t.at = 0
		if hasPlainContent(h) {
			rec.content(h.Size, relative(h.Name))
			t.at = rec.off
		}
		if err := t.add(h, r, buf); err != nil {
			return 0, err
		}
		if err := l.check(p.size, t.written, m.n.Load()); err != nil {
			return 0, err
		}
	}
	return size, drain(ctx, rec, p, l, buf)
}

// hasPlainContent says that the bytes of an entry in the tar are those of a file in the tree.
func hasPlainContent(h *tar.Header) bool {
	if h.Typeflag != tar.TypeReg || h.Size == 0 || strings.Contains("/"+h.Name, "/"+whiteoutPrefix) {
		return false
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return false
		}
	}
	return true
}

// drain reads what follows the tar's trailer.
func drain(ctx context.Context, r io.Reader, p *pump, l Limits, buf []byte) error {
	for {
		_, err := r.Read(buf)
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
func (l Limits) check(tarred, written, read int64) error {
	if tarred > 2*l.Bytes {
		return fault.Refusef("it is larger than the limit of %d bytes", l.Bytes)
	}
	if written > RatioFrom && written/l.Ratio > read {
		return fault.Refusef("it inflates more than %d times, as a decompression bomb does", l.Ratio)
	}
	return nil
}

// TarError tells a damaged tar from a machine that failed.
func TarError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Truncatedf("its data end too early")
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return fault.Refusef("it is no valid tar")
	}
	return err
}
