package printers

import (
	"bytes"
	"io"
	"sync"
)

// LineOutput is what several LineWriters share.
type LineOutput struct {
	W  io.Writer
	mu sync.Mutex
}

// LineWriter passes on whole lines, each with the prefix.
type LineWriter struct {
	Out    *LineOutput
	Prefix string
	rest   []byte // begun, not ended
}

func (l *LineWriter) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	end := bytes.LastIndexByte(l.rest, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	if err := l.pass(l.rest[:end]); err != nil {
		return 0, err
	}
	l.rest = append(l.rest[:0], l.rest[end:]...)
	return len(p), nil
}

// Flush passes on a last line without an end.
func (l *LineWriter) Flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	return l.pass(l.rest)
}

func (l *LineWriter) pass(lines []byte) error {
	if l.Prefix != "" {
		var b bytes.Buffer
		for line := range bytes.Lines(lines) {
			b.WriteString(l.Prefix)
			b.Write(line)
		}
		lines = b.Bytes()
	}
	l.Out.mu.Lock()
	defer l.Out.mu.Unlock()
	_, err := l.Out.W.Write(lines)
	return err
}
