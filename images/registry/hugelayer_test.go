package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"podd/images/imagetest"
	"podd/images/registry/registrytest"
)

// A layer of 3 GB at 256 kB/s, of a store that closes each connection after three minutes: 67 connections and each byte once,
// beyond what a 32-bit number counts.
func TestHugeSlowLayer(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 3 GB")
	}
	const size, each = 3_000_000_000, 3 * 60 * 256_000
	block := randomBytes(1 << 20)
	// part is what is at an offset, at most n bytes.
	part := func(off, n int64) []byte {
		at := off % int64(len(block))
		return block[at:min(at+n, int64(len(block)))]
	}
	digest := imagetest.Digest([]byte("whatever it is"))
	reg := registrytest.New()
	reg.Add(t, "app", "v1", simple())
	var connections, sent atomic.Int64
	reg.Before = func(w http.ResponseWriter, r *http.Request, what string) bool {
		if what != "blobs" || !strings.HasSuffix(r.URL.Path, digest) {
			return false
		}
		connections.Add(1)
		start, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"), 10, 64)
		w.Header().Set("Content-Length", strconv.FormatInt(size-start, 10))
		if start > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, int64(size-1), int64(size)))
			w.WriteHeader(http.StatusPartialContent)
		}
		for off := start; off < min(start+each, size); {
			n, err := w.Write(part(off, min(start+each, size)-off))
			off += int64(n)
			sent.Add(int64(n))
			if err != nil {
				return true
			}
		}
		if start+each < size {
			panic(http.ErrAbortHandler)
		}
		return true
	}
	c := &Client{Patience: impatient()}
	body, err := open(t, c, ref(t, reg.Start(t), "app:v1"), nil).Layer(context.Background(), digest, size)
	if err != nil {
		t.Fatal(err)
	}
	buf, off := make([]byte, 256<<10), int64(0)
	for {
		n, err := body.Read(buf)
		for got := buf[:n]; len(got) > 0; {
			want := part(off, int64(len(got)))
			if !bytes.Equal(got[:len(want)], want) {
				t.Fatalf("other bytes come at %d", off)
			}
			got, off = got[len(want):], off+int64(len(want))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = body.Close()
	if off != size || connections.Load() < size/each || float64(sent.Load()) > 1.02*size {
		t.Errorf("%d of %d bytes came over %d connections, and %d were sent", off, int64(size), connections.Load(), sent.Load())
	}
}
