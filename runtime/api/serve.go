package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

const (
	headerTimeout = 10 * time.Second // for a client to say what it wants
	idleTimeout   = 30 * time.Second // of a connection between two requests
	writeTimeout  = 30 * time.Second // for one change of a watch to leave
	stopTimeout   = 2 * time.Second  // for answers under way when serving ends
	maxHeader     = 64 << 10         // bytes; an exec has its command in the URL
	maxBody       = 1 << 20          // bytes, of all bodies but an image's
)

type server struct {
	backend Backend
	log     *slog.Logger
	now     func() time.Time // for the ages in tables
	reads   bool             // it serves those who may only read
}

// Serve answers on l until ctx ends; then it ends all watches and sessions, closes l and
// returns nil. It has no timers of its own while nobody asks.
func Serve(ctx context.Context, l net.Listener, b Backend, log *slog.Logger) error {
	s := &server{backend: b, log: log, now: time.Now}
	return s.serve(ctx, l)
}

// ServeReaders answers on l as Serve does, to those who may only look: nothing changes, nothing runs in a container, and what
// Secrets, claims and images hold is not shown.
func ServeReaders(ctx context.Context, l net.Listener, b Backend, log *slog.Logger) error {
	s := &server{backend: b, log: log, now: time.Now, reads: true}
	return s.serve(ctx, l)
}

func (s *server) serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s.logWriters(s.routes()),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if h.Shutdown(grace) != nil {
			h.Close()
		}
	})
	err := h.Serve(l)
	if unhook() {
		h.Close()
		return fmt.Errorf("cannot serve the API: %w", err)
	}
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("cannot serve the API: %w", err)
}

// peerKey is that of a connection's other end in the context of its requests.
type peerKey struct{}

// withPeer notes who has connected. man 7 unix, SO_PEERCRED: the kernel says it, not the client.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if held, ok := c.(*counted); ok {
		c = held.Conn
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, cred)
}

// logWriters logs who changes something, or runs something in a pod.
func (s *server) logWriters(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Upgrade") == ""
		if cred, ok := r.Context().Value(peerKey{}).(*unix.Ucred); ok && !reads {
			s.log.Info("API request", "method", r.Method, "path", r.URL.Path, "pid", cred.Pid, "uid", cred.Uid, "gid", cred.Gid)
		}
		next.ServeHTTP(w, r)
	})
}
