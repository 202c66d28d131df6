package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// A staging area that goes while a layer is unpacked is told from a layer that is bad.
func TestUnpackWithoutStagingArea(t *testing.T) {
	st, err := NewStaging(t.TempDir(), Limits{Bytes: 1 << 30, Files: 1000, Ratio: 1000}, func(string) (Record, bool) { return Record{}, false })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(st.Dir); err != nil {
		t.Fatal(err)
	}
	var blob bytes.Buffer
	w := tar.NewWriter(&blob)
	err = errors.Join(w.WriteHeader(&tar.Header{Name: "a/b", Mode: 0o644, Size: 1, Typeflag: tar.TypeReg}), second(io.Copy(w, strings.NewReader("x"))), w.Close())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Unpack(t.Context(), &blob); !errors.Is(err, ErrStagingGone) {
		t.Errorf("unpacking says: %v", err)
	}
}

func second(_ int64, err error) error { return err }

// hungry is the reader of a tar that takes memory of its own.
type hungry struct {
	io.Reader

	memory int64
	reads  int
}

func (h *hungry) Memory() int64 { return h.memory }

func (h *hungry) Read(b []byte) (int, error) {
	h.reads++
	return h.Reader.Read(b)
}

func unpackError(ctx context.Context, st *Staging, r io.Reader) error {
	_, err := st.Unpack(ctx, r)
	return err
}

// A tar whose reader takes memory of its own is not read before all layers that come at once leave it so much.
func TestReaderWithMemoryOfItsOwnWaits(t *testing.T) {
	st, err := NewStaging(t.TempDir(), Limits{Bytes: 1 << 30, Files: 1000, Ratio: 1000}, func(string) (Record, bool) { return Record{}, false })
	if err != nil {
		t.Fatal(err)
	}
	release, err := decoders.take(t.Context(), decoding-8<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	in := &hungry{Reader: bytes.NewReader(make([]byte, 1024)), memory: 16 << 20}
	if _, err := st.Unpack(ended, in); !errors.Is(err, context.Canceled) || in.reads > 0 {
		t.Errorf("it was read %d times: %v", in.reads, err)
	}
	waits, stop := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() { waited <- unpackError(waits, st, &hungry{Reader: bytes.NewReader(nil), memory: 16 << 20}) }()
	for queued := 0; queued == 0; time.Sleep(time.Millisecond) {
		decoders.mu.Lock()
		queued = len(decoders.queue)
		decoders.mu.Unlock()
	}
	if _, err := st.Unpack(t.Context(), bytes.NewReader(make([]byte, 1024))); err != nil {
		t.Errorf("a layer that needs little does not come past one that waits: %v", err)
	}
	stop()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("what waits for memory ends with %v", err)
	}
	release()
	if _, err := st.Unpack(t.Context(), in); err != nil || in.reads == 0 {
		t.Errorf("it is not unpacked when there is enough: %v", err)
	}
}
