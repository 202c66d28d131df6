package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// print prints the logs one after the other, or, when it follows several, as lines come.
func (l *logs) print(ctx context.Context, out io.Writer, p *corev1.Pod, containers []string, q url.Values) error {
	shared := &lineOutput{w: out}
	stream := func(container string, q url.Values) error {
		w := &lineWriter{out: shared}
		if l.prefix {
			w.prefix = fmt.Sprintf("[pod/%s/%s] ", p.Name, container)
		}
		if !l.prefix && len(containers) == 1 {
			return l.stream(ctx, out, p, container, q) // bytes as they come
		}
		return errors.Join(l.stream(ctx, w, p, container, q), w.flush())
	}
	errs := make([]error, len(containers))
	if !l.follow {
		for i, c := range containers {
			errs[i] = stream(c, q)
		}
		return errors.Join(errs...)
	}
	var wg sync.WaitGroup
	for i, c := range containers {
		wg.Go(func() { errs[i] = stream(c, maps.Clone(q)) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// lineOutput is what several lineWriters share.
type lineOutput struct {
	mu sync.Mutex
	w  io.Writer
}

// lineWriter passes on whole lines, each with the prefix.
type lineWriter struct {
	out    *lineOutput
	prefix string
	rest   []byte // begun, not ended
}

func (l *lineWriter) Write(p []byte) (int, error) {
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

// flush passes on a last line without an end.
func (l *lineWriter) flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	return l.pass(l.rest)
}

func (l *lineWriter) pass(lines []byte) error {
	if l.prefix != "" {
		var b bytes.Buffer
		for line := range bytes.Lines(lines) {
			b.WriteString(l.prefix)
			b.Write(line)
		}
		lines = b.Bytes()
	}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	_, err := l.out.w.Write(lines)
	return err
}
