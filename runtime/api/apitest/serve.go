package apitest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"podd/runtime/api"
)

// Serve serves b on a socket until the test ends; it returns the socket's path.
func Serve(t *testing.T, b api.Backend) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "podd.sock")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, b)
	return path
}

// ServeReaders serves b to those who may only read; it returns the socket's path.
func ServeReaders(t *testing.T, b api.Backend) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "podd-read.sock")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error { return api.ServeReaders(ctx, l, b, slog.New(slog.DiscardHandler)) })
	return path
}

// ServeTCP serves b on a port of the loopback interface; it returns host:port.
func ServeTCP(t *testing.T, b api.Backend) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, b)
	return l.Addr().String()
}

func serve(t *testing.T, l net.Listener, b api.Backend) {
	run(t, func(ctx context.Context) error { return api.Serve(ctx, l, b, slog.New(slog.DiscardHandler)) })
}

func run(t *testing.T, serve func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// Client returns a client of the socket; the host in its URLs is not looked at.
func Client(t *testing.T, socket string) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
