package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// maxOutput is how many bytes of a command's output are kept. Source: kubernetes, pkg/probe/exec.
const maxOutput = 10 << 10

// Command is a command that runs in a container.
type Command interface {
	Wait() (exitCode int, err error)
	// KillAll ends the command and what it has started.
	KillAll() error
}

// Exec runs a command, which succeeds with exit code 0. start gives it the file for its output. At the deadline all
// its processes are killed.
func Exec(ctx context.Context, args []string, start func(output *os.File) (Command, error)) (Result, string) {
	began := time.Now()
	r, w, err := os.Pipe()
	if err != nil {
		return Unknown, fmt.Sprintf("cannot make a pipe: %v", err)
	}
	defer func() { _ = r.Close() }()
	c, err := start(w)
	_ = w.Close()
	if err != nil {
		return Unknown, err.Error()
	}
	var late atomic.Bool
	if deadline, ok := ctx.Deadline(); ok {
		timer := time.AfterFunc(time.Until(deadline), func() {
			late.Store(true)
			_ = c.KillAll()
		})
		defer timer.Stop()
	}
	output := make(chan string, 1)
	go func() { output <- collect(r) }()
	code, err := c.Wait()
	// Whoever the command has left behind may keep the pipe open for ever; what is in it by now is all.
	_ = r.SetReadDeadline(time.Now().Add(leftover))
	text := <-output
	switch {
	case late.Load():
		return Failure, fmt.Sprintf("command timed out: %q timed out after %s", strings.Join(args, " "), allowed(ctx, began))
	case err != nil:
		return Unknown, err.Error()
	case code != 0:
		return Failure, text
	}
	return Success, text
}

// leftover is how long the reader may need for what a dead command has written.
const leftover = 20 * time.Millisecond

// collect reads to the end, or to the deadline, and keeps the beginning.
func collect(r *os.File) string {
	var text strings.Builder
	buf := make([]byte, 1<<10)
	for {
		n, err := r.Read(buf)
		text.Write(buf[:min(n, maxOutput-text.Len())])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
			return strings.TrimRight(text.String(), "\n")
		}
	}
}
