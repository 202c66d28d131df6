package layer

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"podd/images/fault"
)

type compression int

const (
	plain compression = iota
	gzipped
	zstandard
	unsupported // known by its magic number, but no image tool writes it
)

// maxZstdWindow bounds the memory of a decoder; "zstd -19" uses 8 MiB, what builders write at most 16.
const maxZstdWindow = 32 << 20

// detect tells the compression by its magic number.
func detect(head []byte) (c compression, name string) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped, "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippableFrame(head):
		return zstandard, "zstd"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return unsupported, "xz"
	case bytes.HasPrefix(head, []byte("BZh")):
		return unsupported, "bzip2"
	}
	return plain, "plain"
}

// IsCompressed reports whether data that begins with head is compressed, as far as a magic number tells.
func IsCompressed(head []byte) bool {
	c, _ := detect(head)
	return c != plain
}

// isSkippableFrame: zstd data may begin with one (RFC 8878, 3.1.2).
func isSkippableFrame(head []byte) bool {
	return len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// Decompress undoes the compression of r, told by its first bytes. Close releases the decoder's memory, not r.
func Decompress(r *bufio.Reader) (io.ReadCloser, error) {
	head, _ := r.Peek(8) // an error shows again when it is read
	c, name := detect(head)
	src := &sourceErrors{r: r}
	in := bufio.NewReaderSize(src, 4096) // the decoders want a ByteReader; large reads go past it
	switch c {
	case gzipped:
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, src.verdict(err, name)
		}
		return &decoder{z, z, src, name}, nil
	case zstandard:
		z, err := zstd.NewReader(in, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, src.verdict(err, name)
		}
		return &decoder{z, z.IOReadCloser(), src, name}, nil
	case unsupported:
		return nil, fault.Refusef("it is compressed with %s and not with gzip or zstd", name)
	}
	return io.NopCloser(r), nil
}

// decoder tells damaged data from a source that failed.
type decoder struct {
	io.Reader
	io.Closer
	src  *sourceErrors
	name string
}

func (d *decoder) Read(b []byte) (int, error) {
	n, err := d.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = d.src.verdict(err, d.name)
	}
	return n, err
}

// sourceErrors remembers how reading the compressed data ended.
type sourceErrors struct {
	r   io.Reader
	err error
}

func (s *sourceErrors) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil {
		s.err = err
	}
	return n, err
}

func (s *sourceErrors) verdict(err error, name string) error {
	switch {
	case s.err != nil && !errors.Is(s.err, io.EOF):
		return s.err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.Truncatedf("its %s data end too early", name)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fault.Refusef("its zstd window is larger than %d MiB", maxZstdWindow>>20)
	}
	return fault.Refusef("its %s data are damaged (%v)", name, err)
}
