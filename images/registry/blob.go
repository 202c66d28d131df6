package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Layer opens a blob, which is read from its beginning to its end however often the connection breaks: each time it is
// asked for the rest. What is read is not verified; the last byte may come from another try than the first, and so the
// reader of all of it has to compare the digest. Done says how that came out.
//
// size is what the manifest promises, or 0.
func (i *Image) Layer(ctx context.Context, digest string, size int64) (io.ReadCloser, error) {
	b := &blob{ctx: ctx, s: i.s, digest: digest, size: size}
	return i.s.c.spool(b)
}

// Range opens the part of a blob from the byte from to before the byte to, and goes on where a connection breaks. size is that
// of the blob. A registry that gives the whole blob instead is an error.
func (i *Image) Range(ctx context.Context, digest string, size, from, to int64) (io.ReadCloser, error) {
	return &blob{ctx: ctx, s: i.s, digest: digest, size: size, off: from, until: to}, nil
}

// blob reads one blob over as many connections as it takes.
type blob struct {
	ctx    context.Context //nolint:containedctx // it is the reader's life
	s      *session
	digest string
	size   int64 // 0: unknown
	until  int64 // of a part: where it ends; 0: it is the whole blob
	off    int64 // of the next byte to give
	body   io.ReadCloser
	skip   int64 // bytes of the body that were given already
	fails  int   // in a row, without a byte between them
	whole  bool  // the registry does not know Range: it is asked for all
	ended  bool
	total  int64 // as the registry says; -1: it does not
}

func (b *blob) Read(p []byte) (int, error) {
	for {
		if b.ended || b.size > 0 && b.off == b.size || b.until > 0 && b.off == b.until {
			return 0, b.end()
		}
		if b.body == nil {
			if err := b.open(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := b.read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if errors.Is(err, io.EOF) && b.size == 0 {
			b.ended = true
			continue
		}
		if err := b.broken(err); err != nil {
			return 0, err
		}
	}
}

// read gives the next bytes of the body that is open, less those that were given already.
func (b *blob) read(p []byte) (int, error) {
	for b.skip > 0 {
		n, err := b.body.Read(p[:min(int64(len(p)), b.skip)])
		b.skip -= int64(n)
		if err != nil {
			return 0, err
		}
	}
	if b.until > 0 {
		p = p[:min(int64(len(p)), b.until-b.off)]
	} else if b.size > 0 && int64(len(p)) > b.size-b.off+1 {
		p = p[:b.size-b.off+1] // one more would show that it is longer than promised
	}
	n, err := b.body.Read(p)
	if n > 0 {
		b.fails = 0
	}
	b.off += int64(n)
	if b.size > 0 && b.off > b.size {
		return 0, refuse(HopBlob, b.s.e.name(), "the blob %s is longer than the %d bytes that the manifest promises", b.digest, b.size)
	}
	return n, err
}

// end lets go of the body. What follows the promised size is not read: the digest tells.
func (b *blob) end() error {
	if b.body != nil {
		_ = b.body.Close()
		b.body = nil
	}
	return io.EOF
}

// broken takes in that a body has ended too early, or that none came, and waits before the next try.
func (b *blob) broken(err error) error {
	if b.body != nil {
		_ = b.body.Close()
		b.body = nil
	}
	if cause := b.ctx.Err(); cause != nil {
		return context.Cause(b.ctx)
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	patience := b.s.c.Patience.filled() // whatever it took to find the image
	if b.s.peer {
		patience = b.s.patience
	}
	if b.fails++; b.fails > patience.Breaks {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return b.s.c.explain(HopBlob, b.s.e.name(), err)
	}
	if b.fails == 1 {
		return nil // a connection that has carried bytes is made again at once
	}
	return sleep(b.ctx, patience.delay(b.fails-1))
}

// open asks for the blob from the byte that is missing. It goes to the registry itself each time, and not to where that has
// sent us: a signed address may have expired, as a token may have.
func (b *blob) open() error {
	req, err := b.s.request(b.ctx, "blobs/"+b.digest)
	if err != nil {
		return err
	}
	ranged := (b.off > 0 || b.until > 0) && !b.whole
	switch {
	case b.until > 0:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", b.off, b.until-1))
	case ranged:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.off))
	}
	resp, err := b.s.do(req)
	if err != nil {
		if !isTemporary(err) || errors.As(err, new(*redirectError)) || errors.As(err, new(*transport.Error)) {
			return b.s.c.explain(HopBlob, b.s.e.name(), err)
		}
		return b.broken(err)
	}
	switch {
	case b.until > 0 && (b.whole || resp.StatusCode == http.StatusOK):
		_ = resp.Body.Close()
		return refuse(HopBlob, b.s.e.name(), "it gives no parts of the blob %s", b.digest)
	case resp.StatusCode == http.StatusOK:
		b.skip = b.off // all of it, whatever it was asked for
		b.whole = b.whole || ranged
		return b.accept(resp, resp.ContentLength)
	case resp.StatusCode == http.StatusPartialContent && ranged:
		return b.partial(resp)
	}
	defer func() { _ = resp.Body.Close() }()
	err = transport.CheckError(resp, http.StatusOK)
	if ranged && (resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable || resp.StatusCode == http.StatusNotImplemented) {
		b.whole = true // some do not understand Range after a redirect, and say so
		return b.broken(err)
	}
	if b.off > 0 && b.fails < 3 && resp.StatusCode != http.StatusNotFound {
		// It was given so far: a token or an address has expired on the way, or the registry is in trouble.
		return b.broken(err)
	}
	return b.s.c.explain(HopBlob, b.s.e.name(), err)
}

// partial takes an answer to a request for a part, which may be another part.
func (b *blob) partial(resp *http.Response) error {
	start, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
	if !ok || start > b.off {
		_ = resp.Body.Close()
		b.whole = true
		return b.broken(io.ErrUnexpectedEOF)
	}
	b.skip = b.off - start
	return b.accept(resp, total)
}

// accept begins to read a body; total is how long the blob is as the registry says, or -1.
func (b *blob) accept(resp *http.Response, total int64) error {
	b.total = total
	if b.size > 0 && total >= 0 && total != b.size {
		_ = resp.Body.Close()
		if total < b.size && b.until == 0 { // a proxy has cut it short; the next try may give more
			return b.broken(io.ErrUnexpectedEOF)
		}
		return refuse(HopBlob, b.s.e.name(), "the blob %s has %d bytes where the manifest promises %d", b.digest, total, b.size)
	}
	b.body = resp.Body
	return nil
}

// parseContentRange reads "bytes 100-199/1000"; total is -1 for "*".
func parseContentRange(s string) (start, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	part, whole, ok := strings.Cut(s, "/")
	if !ok {
		return 0, 0, false
	}
	first, _, ok := strings.Cut(part, "-")
	if !ok {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil || start < 0 {
		return 0, 0, false
	}
	if whole == "*" {
		return start, -1, true
	}
	total, err = strconv.ParseInt(whole, 10, 64)
	return start, total, err == nil
}

func (b *blob) Close() error {
	_ = b.end()
	return nil
}
