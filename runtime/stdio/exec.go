package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
	"podd/runtime/container/process"
	"podd/runtime/container/spec"
)

// Streams are a client's ends of a command's standard streams; nil: the command has none.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Resize sets the size of the terminal, in characters, whenever it changes, until the command has ended; nil: never.
	Resize func(set func(width, height uint16), ended <-chan struct{})
}

// cannotRun ends a command whose program cannot be run as a shell would: with a line and an exit code. Any other error is
// podd's.
func (s *Streams) cannotRun(err error) (int, error) {
	program, ok := errors.AsType[*container.ProgramError](err)
	if !ok {
		return 0, err
	}
	for _, w := range []io.Writer{s.Stderr, s.Stdout} {
		if w != nil {
			_, _ = fmt.Fprintln(w, program.Text)
			break
		}
	}
	return program.Code, nil
}

// ExecTerminal runs a command on a terminal of its own.
func ExecTerminal(ctx context.Context, engine *container.Engine, c *spec.Config, command []string, s Streams) (int, error) {
	x, err := engine.Exec(c, container.ExecConfig{Args: command, TTY: true})
	if err != nil {
		return s.cannotRun(err)
	}
	defer func() { _ = x.Terminal.Close() }()
	if s.Stdin != nil {
		go func() { _, _ = io.Copy(x.Terminal, s.Stdin) }()
	}
	ended := make(chan struct{})
	if s.Resize != nil {
		go s.Resize(func(width, height uint16) { _ = x.Resize(width, height) }, ended)
	}
	var output sync.WaitGroup
	output.Go(func() {
		// The terminal gives EIO once its last process is gone.
		_, _ = io.Copy(s.Stdout, x.Terminal)
	})
	status, err := wait(ctx, x, ended)
	output.Wait()
	return status.Code, err
}

// wait waits for the command, and ends it when the client goes away. It closes ended.
func wait(ctx context.Context, x *container.Exec, ended chan struct{}) (process.ExitStatus, error) {
	stop := context.AfterFunc(ctx, func() { _ = x.Kill() })
	defer stop()
	defer close(ended)
	return x.Wait()
}

// ExecPipes runs a command with pipes. Output ends when the command's last child has closed it, or with the
// command itself if the children stay: a daemon that a command leaves behind must not hold the client.
func ExecPipes(ctx context.Context, engine *container.Engine, c *spec.Config, command []string, s Streams) (int, error) {
	var p pipes
	defer p.close()
	x := container.ExecConfig{Args: command}
	var err error
	if s.Stdin != nil {
		x.Stdin, err = p.input(s.Stdin)
	}
	if err == nil && s.Stdout != nil {
		x.Stdout, err = p.output(s.Stdout)
	}
	if err == nil && s.Stderr != nil {
		x.Stderr, err = p.output(s.Stderr)
	}
	if err != nil {
		return 0, err
	}
	process, err := engine.Exec(c, x)
	p.started()
	if err != nil {
		return s.cannotRun(err)
	}
	status, err := wait(ctx, process, make(chan struct{}))
	p.finish()
	return status.Code, err
}

// pipes are the ends of a command's standard streams.
type pipes struct {
	theirs  []*os.File
	outputs sync.WaitGroup
	readers []*os.File
}

func (p *pipes) pair() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err != nil {
		return nil, nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	return r, w, nil
}

func (p *pipes) input(from io.Reader) (*os.File, error) {
	r, w, err := p.pair()
	if err != nil {
		return nil, err
	}
	p.theirs = append(p.theirs, r)
	go func() {
		_, _ = io.Copy(w, from)
		_ = w.Close()
	}()
	return r, nil
}

func (p *pipes) output(to io.Writer) (*os.File, error) {
	r, w, err := p.pair()
	if err != nil {
		return nil, err
	}
	p.theirs, p.readers = append(p.theirs, w), append(p.readers, r)
	p.outputs.Go(func() { copyOutput(to, r) })
	return w, nil
}

// started closes the command's ends: it has its own copies.
func (p *pipes) started() {
	for _, f := range p.theirs {
		_ = f.Close()
	}
	p.theirs = nil
}

// finish waits for the rest of the output: what the pipes hold when the command has ended. Whoever the
// command left behind may keep them open for ever.
func (p *pipes) finish() {
	for _, r := range p.readers {
		_ = r.SetReadDeadline(time.Now())
	}
	p.outputs.Wait()
}

// copyOutput copies until the end of file or, once the deadline is set, until the pipe is empty.
func copyOutput(to io.Writer, r *os.File) {
	_, err := io.Copy(to, r)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	_ = r.SetReadDeadline(time.Time{})
	conn, err := r.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for n := 1; n > 0; {
		_ = conn.Read(func(fd uintptr) bool {
			n, _ = unix.Read(int(fd), buf)
			return true
		})
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
	}
}

func (p *pipes) close() {
	p.started()
	for _, f := range p.readers {
		_ = f.Close()
	}
	p.readers = nil
}
