package layer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"podd/images/fault"
)

// A ledger says what a layer was when it was unpacked: the bytes of its tar that are no file's content, the digest of each
// file, and each entry of the tree with its attributes. By it a damaged file is found and mended, and the tar is put together
// again as it was. It is one file a layer, compressed with zstd, of
//
//	R length bytes          of the tar
//	F size path             of the tar: the content of a file of the tree
//	D inode digest          of a file that was written; of one inode the last counts
//	E entry                 of the tree, as a walk finds it
//	X                       the tar cannot be put together again
//	Z                       the end
//
// in this order, but for D, which stands where the file was written. Numbers are varints, texts have their length before them.
const (
	tokenRaw    = 'R'
	tokenFile   = 'F'
	tokenDigest = 'D'
	tokenEntry  = 'E'
	tokenBroken = 'X'
	tokenEnd    = 'Z'
)

// maxRaw bounds what of a tar is kept beside its files: a million headers compress to far less, padding to nothing.
const maxRaw = 4 << 30

// ledger writes one.
type ledger struct {
	f      *os.File
	out    *bufio.Writer
	z      *zstd.Encoder
	buf    []byte
	raw    []byte // of the tar, not yet written
	total  int64
	broken bool
	err    error
}

const ledgerWindow = 512 << 10

func newLedger(path string) (*ledger, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot keep the digests of a layer: %w", err)
	}
	l := &ledger{f: f, out: bufio.NewWriterSize(f, 64<<10)}
	l.z, err = zstd.NewWriter(l.out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(ledgerWindow))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func (l *ledger) write(b []byte) {
	if l.err == nil {
		_, l.err = l.z.Write(b)
	}
}

// rawBytes keeps bytes of the tar that are no file's content.
func (l *ledger) rawBytes(b []byte) {
	if l.total += int64(len(b)); l.broken || l.total > maxRaw {
		l.setBroken()
		return
	}
	l.raw = append(l.raw, b...)
	if len(l.raw) > 32<<10 {
		l.flushRaw()
	}
}

func (l *ledger) flushRaw() {
	if len(l.raw) == 0 || l.broken {
		return
	}
	l.write(binary.AppendUvarint([]byte{tokenRaw}, uint64(len(l.raw))))
	l.write(l.raw)
	l.raw = l.raw[:0]
}

// setBroken says that the tar cannot be put together from the tree.
func (l *ledger) setBroken() {
	if !l.broken {
		l.broken, l.raw = true, nil
		l.write([]byte{tokenBroken})
	}
}

func (l *ledger) file(size int64, path string) {
	if l.broken {
		return
	}
	l.flushRaw()
	l.buf = binary.AppendUvarint(append(l.buf[:0], tokenFile), uint64(size))
	l.write(appendText(l.buf, path))
}

func (l *ledger) digest(inode uint64, sum []byte) {
	l.flushRaw()
	l.buf = binary.AppendUvarint(append(l.buf[:0], tokenDigest), inode)
	l.write(append(l.buf, sum...))
}

func (l *ledger) entry(e *Entry) {
	l.flushRaw()
	l.buf = e.append(append(l.buf[:0], tokenEntry), true)
	l.write(l.buf)
}

// close ends the file; nobody has it on stable storage yet.
func (l *ledger) close() error {
	l.flushRaw()
	l.write([]byte{tokenEnd})
	err := errors.Join(l.err, l.z.Close(), l.out.Flush(), l.f.Close())
	if err != nil {
		return fmt.Errorf("cannot keep the digests of a layer: %w", err)
	}
	return nil
}

func (l *ledger) abandon() {
	_ = l.z.Close()
	_ = l.f.Close()
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// recorder is the tar as it is unpacked: what is no file's content goes into the ledger.
type recorder struct {
	src  io.Reader
	to   *ledger
	left int64 // of the content of a file
	off  int64 // of the next byte of the tar
}

func (r *recorder) Read(b []byte) (int, error) {
	if r.left > 0 {
		n, err := r.src.Read(b[:min(int64(len(b)), r.left)])
		r.left, r.off = r.left-int64(n), r.off+int64(n)
		return n, err
	}
	n, err := r.src.Read(b)
	r.off += int64(n)
	r.to.rawBytes(b[:n])
	return n, err
}

// content says that the next size bytes are those of a file of the tree.
func (r *recorder) content(size int64, path string) {
	r.to.file(size, path)
	r.left = size
}

// ledgerReader reads one.
type ledgerReader struct {
	f *os.File
	z *zstd.Decoder
	r *bufio.Reader
}

var errLedger = errors.New("it is damaged")

func openLedger(path string) (*ledgerReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(ledgerWindow))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &ledgerReader{f, z, bufio.NewReaderSize(z, 64<<10)}, nil
}

func (r *ledgerReader) close() {
	r.z.Close()
	_ = r.f.Close() // only read
}

// token is one element of a ledger.
type token struct {
	kind  byte
	size  int64  // of R and F
	text  string // path of F
	inode uint64 // of D
	sum   [32]byte
	entry Entry
}

// next reads the next token; of R the bytes follow and the caller reads them. The end is io.EOF, after Z alone.
func (r *ledgerReader) next(t *token) error {
	kind, err := r.r.ReadByte()
	if err != nil {
		return damaged(err)
	}
	t.kind = kind
	switch kind {
	case tokenRaw:
		t.size, err = r.number()
	case tokenFile:
		if t.size, err = r.number(); err == nil {
			t.text, err = r.text(maxPath)
		}
	case tokenDigest:
		if t.inode, err = binary.ReadUvarint(r.r); err == nil {
			_, err = io.ReadFull(r.r, t.sum[:])
		}
	case tokenEntry:
		err = t.entry.read(r)
	case tokenBroken:
	case tokenEnd:
		if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
			return damaged(err)
		}
		return io.EOF
	default:
		err = errLedger
	}
	if err != nil {
		return damaged(err)
	}
	return nil
}

func damaged(err error) error { return fmt.Errorf("%w (%v)", errLedger, err) }

func (r *ledgerReader) number() (int64, error) {
	n, err := binary.ReadUvarint(r.r)
	if err == nil && n > 1<<62 {
		err = errLedger
	}
	return int64(n), err
}

func (r *ledgerReader) text(most int64) (string, error) {
	n, err := r.number()
	if err != nil {
		return "", err
	}
	if n > most {
		return "", errLedger
	}
	var b strings.Builder
	b.Grow(int(n))
	_, err = io.CopyN(&b, r.r, n)
	return b.String(), err
}

// WriteTar puts the tar of a layer together from its tree, as it was when it was unpacked, from the byte from on. The caller
// compares the digest of what was written with the diffID: a tree that has changed since gives another one.
func WriteTar(w io.Writer, ledgerFile, dir string, from int64) error {
	r, err := openLedger(ledgerFile)
	if err != nil {
		return fmt.Errorf("cannot put the layer together: %w", err)
	}
	defer r.close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot put the layer together: %w", err)
	}
	defer func() { _ = root.Close() }()
	var t token
	for {
		err := r.next(&t)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("cannot put the layer together: %s: %w", ledgerFile, err)
		}
		skip := int64(0)
		if t.kind == tokenRaw || t.kind == tokenFile {
			skip = min(from, t.size)
			from -= skip
		}
		switch t.kind {
		case tokenRaw:
			if _, err = io.CopyN(io.Discard, r.r, skip); err == nil {
				_, err = io.CopyN(w, r.r, t.size-skip)
			}
		case tokenFile:
			if skip < t.size {
				err = copyFile(w, root, t.text, skip, t.size)
			}
		case tokenBroken:
			err = brokenTar()
		}
		if err != nil {
			return fmt.Errorf("cannot put the layer together: %w", err)
		}
	}
}

// brokenTar: a file was written twice, and the first content is gone.
func brokenTar() error {
	return fault.Refusef("its tar has what cannot be made from the unpacked files alone")
}

// CanWriteTar says whether WriteTar can put the tar of a layer together, as far as its ledger tells.
func CanWriteTar(ledgerFile string) error {
	r, err := openLedger(ledgerFile)
	if err != nil {
		return fmt.Errorf("cannot put the layer together: %w", err)
	}
	defer r.close()
	var t token
	for {
		err := r.next(&t)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err == nil && t.kind == tokenRaw:
			_, err = io.CopyN(io.Discard, r.r, t.size)
		case err == nil && t.kind == tokenBroken:
			err = brokenTar()
		}
		if err != nil {
			return fmt.Errorf("cannot put the layer together: %w", err)
		}
	}
}

// copyFile writes the content of a file of size bytes from the byte from on.
func copyFile(w io.Writer, root *os.Root, path string, from, size int64) error {
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	n, err := io.Copy(w, io.NewSectionReader(f, from, size-from))
	if err == nil && n != size-from {
		err = fmt.Errorf("%s has %d bytes instead of %d", path, from+n, size)
	}
	return err
}
