package distribution

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"podd/images"
	"podd/images/reference"
)

// blob answers with a configuration or a layer. It may belong to any image that is given: a digest says what it is.
func (q *request) blob(digest string) {
	if !reference.ValidDigest(digest) {
		refuse(q.w, http.StatusNotFound, "DIGEST_INVALID", "a blob is asked for by sha256: and 64 hexadecimal digits")
		return
	}
	for _, d := range q.c.documents[digest] {
		if d.Digest == d.of.ID && public(q.allow, d.of) {
			q.w.Header().Set("Docker-Content-Digest", digest)
			writeAs(q.w, q.r, "application/octet-stream", d.Text)
			return
		}
	}
	for _, t := range q.c.tars[digest] {
		if public(q.allow, t.of) {
			q.layer(t.Tar)
			return
		}
	}
	refuse(q.w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
}

func (q *request) layer(t images.Tar) {
	h := q.w.Header()
	h.Set("Docker-Content-Digest", t.DiffID)
	h.Set("Etag", `"`+t.DiffID+`"`)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", "application/octet-stream")
	from, to, partial, ok := parseRange(q.r.Header, t)
	if !ok {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", t.Size))
		refuse(q.w, http.StatusRequestedRangeNotSatisfiable, "SIZE_INVALID", "the blob has no such part")
		return
	}
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	status := http.StatusOK
	if partial {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, t.Size))
		status = http.StatusPartialContent
	}
	if q.r.Method == http.MethodHead {
		q.w.WriteHeader(status)
		return
	}
	if !q.takeTurn(q.r.Context()) {
		return
	}
	defer q.giveTurn()
	q.w.WriteHeader(status)
	if err := q.stream(t, from, to); err != nil {
		if q.r.Context().Err() == nil && !errors.Is(err, errSlow) {
			q.Log.Warn("a layer cannot be given to another machine", "layer", t.DiffID, "error", err)
		}
		panic(http.ErrAbortHandler) // what was said to be its length is not reached: nobody takes it for whole
	}
}

// takeTurn waits until few enough layers are under way.
func (s *Server) takeTurn(ctx context.Context) bool {
	s.mu.Lock()
	if s.turns == nil {
		s.turns = make(chan struct{}, maxStreams)
	}
	s.mu.Unlock()
	select {
	case s.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Server) giveTurn() { <-s.turns }

// parseRange reads a request for one part; of several all is given, as of what is no range of bytes.
func parseRange(h http.Header, t images.Tar) (from, to int64, partial, ok bool) {
	text, is := strings.CutPrefix(h.Get("Range"), "bytes=")
	if old := h.Get("If-Range"); old != "" && old != `"`+t.DiffID+`"` {
		is = false
	}
	first, last, cut := strings.Cut(text, "-")
	if !is || !cut || strings.Contains(text, ",") {
		return 0, t.Size, false, true
	}
	from, err := strconv.ParseInt(first, 10, 64)
	to = t.Size
	switch {
	case first == "": // the last bytes
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return 0, t.Size, false, true
		}
		return max(t.Size-n, 0), t.Size, true, n > 0
	case err != nil || from < 0:
		return 0, t.Size, false, true
	case last != "":
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < from {
			return 0, t.Size, false, true
		}
		to = min(t.Size, n+1)
	}
	return from, to, true, from < t.Size
}

// stream writes a layer. Of a whole one the last byte waits for the digest: a file that is not what it was is never given.
func (q *request) stream(t images.Tar, from, to int64) error {
	out := &sending{
		s: q.Server, w: q.w, control: http.NewResponseController(q.w), left: to - from,
		by: time.Now().Add(time.Minute + time.Duration((to-from)/slowest)*time.Second),
	}
	if from == 0 && to == t.Size {
		out.sum = sha256.New()
	}
	in := bufio.NewWriterSize(out, sendChunk)
	err := images.Outlet{Store: q.Store}.Write(in, t, from)
	if err == nil {
		err = in.Flush()
	}
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return out.end(t.DiffID)
}

const (
	sendChunk = 64 << 10
	chunkFor  = 30 * time.Second // a reader that takes no chunk for so long has gone
	slowest   = 16 << 10         // bytes a second, over all of a layer, after a minute
)

var (
	errEnough = errors.New("all was given that was asked for")
	errSlow   = errors.New("it is taken too slowly")
	errLayer  = errors.New("it is not what it was: see podd images verify")
)

// sending writes a part of a layer to whoever asked.
type sending struct {
	s       *Server
	w       http.ResponseWriter
	control *http.ResponseController
	left    int64 // bytes
	sum     hash.Hash
	held    []byte // the last byte of a whole layer
	by      time.Time
}

func (o *sending) Write(b []byte) (int, error) {
	all := len(b)
	if o.left == 0 {
		return 0, errEnough
	}
	b = b[:min(int64(len(b)), o.left)]
	o.left -= int64(len(b))
	if o.sum != nil {
		_, _ = o.sum.Write(b) // never fails (hash.Hash)
		if o.left == 0 {
			o.held, b = append(o.held, b[len(b)-1]), b[:len(b)-1]
		}
	}
	return all, o.send(b)
}

func (o *sending) send(b []byte) error {
	now := time.Now()
	if now.After(o.by) {
		return errSlow
	}
	o.s.pay(len(b))
	_ = o.control.SetWriteDeadline(time.Now().Add(chunkFor)) // a test's recorder has none
	_, err := o.w.Write(b)
	return err
}

// end gives the last byte of a layer that is what it was.
func (o *sending) end(diffID string) error {
	switch {
	case o.left > 0:
		return errLayer
	case o.sum == nil:
		return nil
	case "sha256:"+hex.EncodeToString(o.sum.Sum(nil)) != diffID:
		return errLayer
	}
	return o.send(o.held)
}

// pay waits until the bytes before these are paid for.
func (s *Server) pay(n int) {
	if s.Rate == nil {
		return
	}
	rate := s.Rate()
	if rate <= 0 {
		return
	}
	s.mu.Lock()
	now := time.Now()
	if s.next.Before(now) {
		s.next = now
	}
	wait := s.next.Sub(now)
	s.next = s.next.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	s.mu.Unlock()
	time.Sleep(wait)
}
