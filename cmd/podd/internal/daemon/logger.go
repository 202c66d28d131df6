package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"

	"podd/internal/escape"
	"podd/internal/journald"
)

// newLogger makes podd's own log. format is one of LoggingConfig.check. The journal, where w leads to it, gets
// fields; others get text or JSON. One record is one line without control characters, whatever containers, files and
// peers have put into the values.
func newLogger(format string, level slog.Leveler, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(escape.JSONWriter(w), o))
	case toJournal(w, os.Getenv("JOURNAL_STREAM")):
		return slog.New(&journalHandler{level: level, out: &journal{path: journald.Socket, fd: -1, stream: w}})
	}
	return slog.New(slog.NewTextHandler(escape.Writer(w), o))
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
