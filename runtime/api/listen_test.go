package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

func mustRequest(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://podd"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "podd.sock")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode is %v", st.Mode())
	}
	if _, err := api.Listen(path); !errors.Is(err, api.ErrInUse) {
		t.Errorf("a second server: %v, want ErrInUse", err)
	}
	l.Close() // as a death does, this leaves the file
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	again, err := api.Listen(path)
	if err != nil {
		t.Fatalf("a stale socket is not replaced: %v", err)
	}
	defer again.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestListenAfterHalfDeath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "podd.sock")
	if err := os.WriteFile(path+".new", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// Serve ends watches and sessions when its context ends.
func TestServeEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "podd.sock")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, l, apitest.New(apitest.Pod("a")), slog.New(slog.DiscardHandler)) }()
	w := watchPods(t, apitest.Client(t, path), "")
	w.expect("ADDED a")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	var e any
	if err := w.dec.Decode(&e); !errors.Is(err, io.EOF) {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestServeFails(t *testing.T) {
	l, err := api.Listen(filepath.Join(t.TempDir(), "podd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := api.Serve(t.Context(), l, apitest.New(), slog.New(slog.DiscardHandler)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}
