package prober

import (
	"bytes"
	"sync"
)

// limited keeps the first bytes that are written to it and takes the rest without keeping it. Stdout and stderr
// of a command may share one.
type limited struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *limited) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := hookOutput - l.buf.Len(); room > 0 {
		l.buf.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}

func (l *limited) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Bytes()
}
