package container

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/opencontainers/runc/libcontainer"
	"golang.org/x/sys/unix"

	"podd/runtime/container/process"
	"podd/runtime/container/spec"
)

// ExecConfig is one more command in a running container, with the container's own environment and user.
type ExecConfig struct {
	Args                  []string
	TTY                   bool
	Stdin, Stdout, Stderr *os.File // without a terminal; nil: /dev/null
}

// Exec is a command that runs in a container.
type Exec struct {
	engine    *Engine
	container *libcontainer.Container
	process   *libcontainer.Process
	// Terminal is the host's side of the terminal, if there is one.
	Terminal *os.File
}

// Exec runs one more command. c is the configuration that the container was started with.
func (e *Engine) Exec(c *spec.Config, x ExecConfig) (*Exec, error) {
	lc, err := e.stateFiles().load(c.ID)
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
	ociSpec, err := spec.Build(&withArgs, who, e.rootPath(c.ID))
	if err != nil {
		return nil, err
	}
	p := newProcess(ociSpec)
	p.Args = x.Args
	held := lc.Config().NoNewPrivileges || *p.NoNewPrivileges // as it was started, whatever the node's setting is now
	p.NoNewPrivileges = &held
	if len(lc.Config().Rlimits) == 0 { // an earlier podd has started it
		p.Rlimits = processRlimits(c.Rlimits)
	}
	if err := e.confineExec(c.ID, p); err != nil {
		return nil, err
	}
	defer closeFiles(p.ExtraFiles)
	e.awaitProgram(c.ID)
	if x.TTY {
		terminal, err := onTerminal(lc.Run, p)
		if err != nil {
			e.ReapLost()
			return nil, execError(c.ID, lc, err)
		}
		return begun(&Exec{engine: e, container: lc, process: p, Terminal: terminal}), nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", os.DevNull, err)
	}
	defer closeFile(null)
	if err := chownToPod(c.Sandbox.Users, who, x.Stdin, x.Stdout, x.Stderr); err != nil {
		return nil, err
	}
	p.Stdin, p.Stdout, p.Stderr = orNull(x.Stdin, null), orNull(x.Stdout, null), orNull(x.Stderr, null)
	if err := lc.Run(p); err != nil {
		e.ReapLost()
		return nil, execError(c.ID, lc, err)
	}
	return begun(&Exec{engine: e, container: lc, process: p}), nil
}

// begun notes that somebody waits for a command.
func begun(x *Exec) *Exec {
	if pid, err := x.process.Pid(); err == nil {
		x.engine.execs.Store(pid, nil)
	}
	return x
}

// startedAs: the container may have changed its /etc/passwd since, and would make itself another user by it.
func startedAs(c *spec.Config, root string) (spec.Identity, error) {
	u := c.StartedAs
	if u == nil {
		return spec.ResolveIdentity(c, root)
	}
	id := spec.Identity{UID: int(u.UID), GID: int(u.GID)}
	for _, g := range u.Groups {
		id.Groups = append(id.Groups, int(g))
	}
	return id, nil
}

func execError(id string, lc *libcontainer.Container, err error) error {
	if errors.Is(err, libcontainer.ErrNotRunning) {
		return ErrNotRunning
	}
	if program := programError(err); program != nil {
		return &runError{program}
	}
	if full := processesError(err, cgroupDirs(lc)); full != nil {
		err = full
	}
	return &runError{fmt.Errorf("cannot exec in container %s: %w", id, err)}
}

// cgroupDirs are the folders of a container's cgroups, by controller.
func cgroupDirs(lc *libcontainer.Container) map[string]string {
	state, err := lc.State()
	if err != nil {
		return nil
	}
	return state.CgroupPaths
}

// orNull keeps a nil file from becoming a pipe of os/exec's own.
func orNull(f, null *os.File) *os.File {
	if f == nil {
		return null
	}
	return f
}

// Wait waits for the command's end. No thread waits with it: a command may hang for long, and there may be many.
//
// libcontainer's init closes its socket to podd before it executes the command. If the kernel does not take that (exec format
// error, a missing interpreter) it says why on the command's stderr and exits with 255; a shell exits with 126 then.
func (x *Exec) Wait() (process.ExitStatus, error) {
	if pid, err := x.process.Pid(); err == nil {
		defer x.engine.execs.Delete(pid)
	}
	x.await()
	neverRan := x.neverRan()
	state, err := x.process.Wait()
	if state == nil {
		return process.ExitStatus{}, fmt.Errorf("cannot wait for a command: %w", err)
	}
	status := process.ExitStatus{Code: state.ExitCode()}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok {
		status = process.ParseWaitStatus(uint32(ws))
	}
	if neverRan && status.Code == exitInitFailed {
		status.Code = exitNotExecutable
	}
	return status, nil
}

// exitInitFailed is how libcontainer's init exits where it does not execute a program.
const exitInitFailed = 255

// neverRan says of a process that is dead, and not waited for, that it ended as libcontainer's init.
func (x *Exec) neverRan() bool {
	pid, err := x.process.Pid()
	if err != nil {
		return false
	}
	stat, err := process.ReadStat("/proc", pid)
	return err == nil && stat.State == 'Z' && stat.Flags&forkNoExec != 0
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
		alive, err := process.Alive(int(fd))
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

// killRounds bounds how often new processes are looked for while they are being killed: a command that forks as fast as
// it is killed ends with its container.
const killRounds = 20

// KillAll ends the command with all that it has started: the processes of its session, and their children that began
// one of their own. What has left both is the container's.
func (x *Exec) KillAll() error {
	pid, err := x.process.Pid()
	if err != nil {
		return fmt.Errorf("cannot kill a command: %w", err)
	}
	for range killRounds {
		pids, err := x.container.Processes()
		if err != nil {
			return errors.Join(fmt.Errorf("cannot list the processes of a command: %w", err), x.Kill())
		}
		victims := process.Descendants("/proc", pids, pid)
		for _, v := range victims {
			if err := v.Kill(); err != nil {
				return err
			}
		}
		if len(victims) == 0 {
			return nil
		}
	}
	return nil
}
