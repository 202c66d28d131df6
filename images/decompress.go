package images

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
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

// isSkippableFrame: zstd data may begin with one (RFC 8878, 3.1.2).
func isSkippableFrame(head []byte) bool {
	return len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// decompress undoes the compression of r, told by its first bytes. Close releases the decoder's memory, not r.
func decompress(r *bufio.Reader) (io.ReadCloser, error) {
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
		return nil, refusef("it is compressed with %s and not with gzip or zstd", name)
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
		return truncatedf("its %s data end too early", name)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return refusef("its zstd window is larger than %d MiB", maxZstdWindow>>20)
	}
	return refusef("its %s data are damaged (%v)", name, err)
}

// isTar tells a tar header by its checksum, or the empty archive.
func isTar(block []byte) bool {
	if len(block) < 512 {
		return false
	}
	sum := 8 * int64(' ')
	for i, c := range block[:512] {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	if sum == 8*' ' {
		return true // all zero: the trailer
	}
	field := strings.Trim(string(block[148:156]), " \x00")
	want, err := strconv.ParseInt(field, 8, 64)
	return err == nil && want == sum
}

// isJSON tells the small documents of an archive.
func isJSON(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}
