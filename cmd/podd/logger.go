package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
)

// newLogger makes podd's own log. format and level are those of LoggingConfig.check; the
// text for journald has no time, which journald adds, but a priority that it understands.
func newLogger(format, level string, w io.Writer) *slog.Logger {
	l, err := parseLevel(level)
	if err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(w, o))
	case toJournal(w, os.Getenv("JOURNAL_STREAM")):
		return slog.New(newJournalHandler(w, l))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func parseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("logging level must be debug, info, warn or error, not %q", s)
}

// toJournal reports whether w is the stream that systemd has connected to the journal:
// JOURNAL_STREAM has its device and inode (man 5 systemd.exec).
func toJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return false
	}
	return stream == journalStream(st.Dev, st.Ino)
}

func journalStream(dev, ino uint64) string { return fmt.Sprintf("%d:%d", dev, ino) }

// journalHandler writes text lines that begin with "<N>", N being a priority of syslog
// (man 3 sd-daemon).
type journalHandler struct {
	slog.Handler // writes to out.line
	out          *journalOutput
}

type journalOutput struct {
	mu   sync.Mutex
	line bytes.Buffer
	w    io.Writer
}

func newJournalHandler(w io.Writer, level slog.Level) *journalHandler {
	out := &journalOutput{w: w}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}}
	return &journalHandler{slog.NewTextHandler(&out.line, o), out}
}

// Handle writes one line in one write, so that lines of several goroutines do not mix.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	fmt.Fprintf(&h.out.line, "<%d>", priority(r.Level))
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.out.w.Write(h.out.line.Bytes())
	return err
}

// WithAttrs keeps the priority in front.
func (h *journalHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return &journalHandler{h.Handler.WithAttrs(a), h.out}
}

// WithGroup keeps the priority in front.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{h.Handler.WithGroup(name), h.out}
}

// priority of syslog for a level.
func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}
