package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestLogLinesAreSafe: one record is one line, whatever is in it.
func TestLogLinesAreSafe(t *testing.T) {
	const evil = "x\x1b[2J\x1b]0;title\x07\r\b\u009b2J\x7f\u202ey"
	obeyed := func(r rune) bool {
		return r != '\n' && (unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r))
	}
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		l := newLogger(format, slog.LevelInfo, &b)
		l.Error("ended "+evil+"\nlevel=INFO msg=forged", "message", evil+"\nlevel=INFO", "bytes", "\x9b2J", "error", errors.New(evil))
		line := b.String()
		if strings.Count(line, "\n") != 1 || strings.ContainsFunc(line, obeyed) {
			t.Errorf("%s: %q", format, line)
		}
	}
}

func TestLoggerChoosesTheJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	for _, tt := range []struct {
		dev, ino uint64
		format   string
		want     string
	}{
		{sys.Dev, sys.Ino, "text", "<4>w\n"},
		{sys.Dev, sys.Ino + 1, "text", "time="},
		{sys.Dev, sys.Ino, "json", `{"time":`},
	} {
		t.Setenv("JOURNAL_STREAM", journalStream(tt.dev, tt.ino))
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		l := newLogger(tt.format, slog.LevelWarn, f)
		l.Info("i")
		l.Warn("w")
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), tt.want) || bytes.Count(b, []byte("\n")) != 1 {
			t.Errorf("%+v: got %q", tt, b)
		}
	}
}
