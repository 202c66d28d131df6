// Package program runs programs of the machine's owner that podd asks for an answer: verifiers of images, helpers that know
// credentials. What they say is bounded, they end with their context together with all that they have started, and they get
// nothing of what systemd gave podd.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Command is a program to run.
type Command struct {
	Path  string
	Args  []string // without the program's name
	Env   []string // beside what Environment gives; of one name the last counts
	Stdin []byte
	// MaxOutput is how much of stdout, and of stderr, is kept, in bytes; 0 is 64 KiB. The rest is read and dropped.
	MaxOutput int
}

// Result is how a program ended.
type Result struct {
	ExitCode       int // 128+n of one that was killed by signal n
	Stdout, Stderr []byte
	Truncated      bool // it has said more on stdout
}

const defaultOutput = 64 << 10

// dropped are variables that are for podd itself.
var dropped = []string{"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "CREDENTIALS_DIRECTORY"}

// Environment is podd's own without what is for podd alone.
func Environment() []string {
	var out []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		keep := true
		for _, d := range dropped {
			keep = keep && name != d
		}
		if keep {
			out = append(out, v)
		}
	}
	return out
}

// Run runs a program to its end. An error is that it could not be run, or that ctx ended before it did, which is then killed;
// a status other than 0 is none.
func Run(ctx context.Context, c Command) (Result, error) {
	most := c.MaxOutput
	if most <= 0 {
		most = defaultOutput
	}
	stdin, feed, err := os.Pipe()
	if err != nil {
		return Result{}, err
	}
	stdout, stdoutEnd, err := os.Pipe()
	if err != nil {
		return Result{}, errors.Join(err, stdin.Close(), feed.Close())
	}
	stderr, stderrEnd, err := os.Pipe()
	if err != nil {
		return Result{}, errors.Join(err, stdin.Close(), feed.Close(), stdout.Close(), stdoutEnd.Close())
	}
	mine := []*os.File{feed, stdout, stderr}
	defer func() {
		for _, f := range mine {
			_ = f.Close()
		}
	}()
	p, err := os.StartProcess(c.Path, append([]string{c.Path}, c.Args...), &os.ProcAttr{
		Dir: "/", Env: append(Environment(), c.Env...), Files: []*os.File{stdin, stdoutEnd, stderrEnd},
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	for _, f := range []*os.File{stdin, stdoutEnd, stderrEnd} {
		_ = f.Close()
	}
	if err != nil {
		return Result{}, fmt.Errorf("cannot run %s: %w", c.Path, cause(err))
	}
	return watch(ctx, p, c, most, feed, stdout, stderr)
}

// watch feeds the program, reads what it says and waits for its end.
func watch(ctx context.Context, p *os.Process, c Command, most int, feed, stdout, stderr *os.File) (Result, error) {
	kill := func() { // with its children, which hold its pipes open
		_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
		past := time.Unix(1, 0)
		for _, f := range []*os.File{feed, stdout, stderr} {
			_ = f.SetDeadline(past)
		}
	}
	stop := context.AfterFunc(ctx, kill)
	var r Result
	var all sync.WaitGroup
	all.Go(func() {
		_, _ = feed.Write(c.Stdin) // a program may not care
		_ = feed.Close()
	})
	all.Go(func() { r.Stdout, r.Truncated = readSome(stdout, most) })
	all.Go(func() { r.Stderr, _ = readSome(stderr, most) })
	// The pipes first: as long as the program was not waited for, its number, which is killed, is nobody else's.
	all.Wait()
	stop()
	state, err := waitOrKill(ctx, p)
	switch {
	case ctx.Err() != nil:
		return Result{}, fmt.Errorf("%s did not end: %w", c.Path, context.Cause(ctx))
	case err != nil:
		return Result{}, fmt.Errorf("cannot wait for %s: %w", c.Path, err)
	}
	r.ExitCode = state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.ExitCode = 128 + int(status.Signal())
	}
	return r, nil
}

// waitOrKill waits for a program that has closed its pipes, which does not mean that it ends.
func waitOrKill(ctx context.Context, p *os.Process) (*os.ProcessState, error) {
	defer context.AfterFunc(ctx, func() { _ = p.Kill() })()
	return p.Wait()
}

// readSome keeps the beginning of what r gives and reads it to its end.
func readSome(r io.Reader, most int) (data []byte, more bool) {
	data, _ = io.ReadAll(io.LimitReader(r, int64(most)))
	n, _ := io.Copy(io.Discard, r)
	return data, n > 0
}

func cause(err error) error {
	if named := (*os.PathError)(nil); errors.As(err, &named) {
		return named.Err
	}
	return err
}
