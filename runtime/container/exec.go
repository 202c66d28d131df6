package container

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/opencontainers/runc/libcontainer"
	"golang.org/x/sys/unix"
)

// ExecConfig is one more command in a running container, with the container's own environment and user.
type ExecConfig struct {
	Args                  []string
	TTY                   bool
	Stdin, Stdout, Stderr *os.File // without a terminal; nil: /dev/null
}

// Exec is a command that runs in a container.
type Exec struct {
	container *libcontainer.Container
	process   *libcontainer.Process
	// Terminal is the host's side of the terminal, if there is one.
	Terminal *os.File
}

// Exec runs one more command. c is the configuration that the container was started with.
func (e *Engine) Exec(c *Config, x ExecConfig) (*Exec, error) {
	lc, err := e.load(c.ID)
	if err != nil {
		return nil, err
	}
	who, err := startedAs(c, e.rootPath(c.ID))
	if err != nil {
		return nil, err
	}
	withArgs := *c
	withArgs.Container = c.Container.DeepCopy()
	withArgs.Container.Command, withArgs.Container.Args = []string{"exec"}, nil
	withArgs.Container.TTY = x.TTY
	spec, err := buildSpec(&withArgs, who, e.rootPath(c.ID))
	if err != nil {
		return nil, err
	}
	p := newProcess(spec)
	p.Args = x.Args
	if len(lc.Config().Rlimits) == 0 { // an earlier podd has started it
		p.Rlimits = processRlimits(c.Rlimits)
	}
	e.awaitProgram(c.ID)
	if x.TTY {
		terminal, err := onTerminal(lc.Run, p)
		if err != nil {
			return nil, execError(c.ID, err)
		}
		return &Exec{container: lc, process: p, Terminal: terminal}, nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", os.DevNull, err)
	}
	defer closeFile(null)
	if err := c.Sandbox.Users.giveAll(who, x.Stdin, x.Stdout, x.Stderr); err != nil {
		return nil, err
	}
	p.Stdin, p.Stdout, p.Stderr = orNull(x.Stdin, null), orNull(x.Stdout, null), orNull(x.Stderr, null)
	if err := lc.Run(p); err != nil {
		return nil, execError(c.ID, err)
	}
	return &Exec{container: lc, process: p}, nil
}

// startedAs: the container may have changed its /etc/passwd since, and would make itself another user by it.
func startedAs(c *Config, root string) (identity, error) {
	u := c.StartedAs
	if u == nil {
		return resolveIdentity(c, root)
	}
	id := identity{uid: int(u.UID), gid: int(u.GID)}
	for _, g := range u.Groups {
		id.groups = append(id.groups, int(g))
	}
	return id, nil
}

func execError(id string, err error) error {
	if errors.Is(err, libcontainer.ErrNotRunning) {
		return ErrNotRunning
	}
	return &runError{fmt.Errorf("cannot exec in container %s: %w", id, err)}
}

// orNull keeps a nil file from becoming a pipe of os/exec's own.
func orNull(f, null *os.File) *os.File {
	if f == nil {
		return null
	}
	return f
}

// Wait waits for the command's end. No thread waits with it: a command may hang for long, and there may be many.
func (x *Exec) Wait() (ExitStatus, error) {
	x.await()
	state, err := x.process.Wait()
	if state == nil {
		return ExitStatus{}, fmt.Errorf("cannot wait for a command: %w", err)
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok {
		return ParseWaitStatus(uint32(ws)), nil
	}
	return ExitStatus{Code: state.ExitCode()}, nil
}

// await returns when the process is dead, or when it cannot be told other than by waiting for it.
func (x *Exec) await() {
	pid, err := x.process.Pid()
	if err != nil {
		return
	}
	// Without PIDFD_NONBLOCK (Linux 5.10) Go's poller would not take it.
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer closeFile(f)
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool {
		alive, err := Alive(int(fd))
		return !alive || err != nil
	})
}

// Kill ends the command.
func (x *Exec) Kill() error { return x.process.Signal(unix.SIGKILL) }

// Resize sets the size of the command's terminal.
func (x *Exec) Resize(width, height uint16) error {
	if x.Terminal == nil {
		return nil
	}
	conn, err := x.Terminal.SyscallConn()
	if err != nil {
		return err
	}
	// Not Fd: the terminal may be closed at this moment, and its number be another file's.
	var set error
	if err := conn.Control(func(fd uintptr) {
		set = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width})
	}); err != nil {
		return err
	}
	return set
}
