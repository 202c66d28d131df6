package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/container"
)

// Exec runs a command in a container and returns its exit code.
func (b *Backend) Exec(ctx context.Context, namespace, name string, o *corev1.PodExecOptions, s api.Streams) (int, error) {
	a, err := b.find(ctx, namespace, name, o.Container)
	if err != nil {
		return 0, err
	}
	// The command's process moves into the container's cgroup, which the kernel makes wait.
	go b.Cgroups.Warm()
	if !a.running || a.config == nil {
		return 0, api.AsBadRequest(fmt.Errorf("container %s is not running", o.Container))
	}
	run := b.execPipes
	if o.TTY {
		run = b.execTerminal
	}
	code, err := run(ctx, a.config, o.Command, s)
	if err != nil {
		b.inbox.put(msgCgroup{a.config.Sandbox.CgroupPath}) // of a container that has lost it, this is how it shows
	}
	return code, err
}

// execTerminal runs a command on a terminal of its own.
func (b *Backend) execTerminal(ctx context.Context, c *container.Config, command []string, s api.Streams) (int, error) {
	x, err := b.engine.Exec(c, container.ExecConfig{Args: command, TTY: true})
	if err != nil {
		return 0, err
	}
	defer func() { _ = x.Terminal.Close() }()
	if s.Stdin != nil {
		go func() { _, _ = io.Copy(x.Terminal, s.Stdin) }()
	}
	ended := make(chan struct{})
	go resize(x, s.Resize, ended)
	var output sync.WaitGroup
	output.Go(func() {
		// The terminal gives EIO once its last process is gone.
		_, _ = io.Copy(s.Stdout, x.Terminal)
	})
	status, err := wait(ctx, x, ended)
	output.Wait()
	return status.Code, err
}

func resize(x *container.Exec, sizes <-chan api.Size, ended <-chan struct{}) {
	for {
		select {
		case size := <-sizes:
			_ = x.Resize(size.Width, size.Height)
		case <-ended:
			return
		}
	}
}

// wait waits for the command, and ends it when the client goes away. It closes ended.
func wait(ctx context.Context, x *container.Exec, ended chan struct{}) (container.ExitStatus, error) {
	stop := context.AfterFunc(ctx, func() { _ = x.Kill() })
	defer stop()
	defer close(ended)
	return x.Wait()
}

// execPipes runs a command with pipes. Output ends when the command's last child has closed it, or with the
// command itself if the children stay: a daemon that a command leaves behind must not hold the client.
func (r *Runtime) execPipes(ctx context.Context, c *container.Config, command []string, s api.Streams) (int, error) {
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
	process, err := r.engine.Exec(c, x)
	p.started()
	if err != nil {
		return 0, err
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
