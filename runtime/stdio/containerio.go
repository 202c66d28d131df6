package stdio

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
	"podd/runtime/container/process"
	"podd/runtime/logs"
)

// ContainerIO holds the descriptors of one attempt of a container. Its methods are not to be called side by side, but for
// Done, Signal and Attach.
type ContainerIO struct {
	hub     *Hub
	id      string
	pidfd   *os.File // nil once nobody needs it
	exit    int32    // the reactor's number for pidfd; 0: not watched
	sink    *logs.Sink
	journal *forwarder // nil: the log is all
	streams []*stream
	// terminal is there for a container that has one.
	terminal *terminal
	clients  clients
	tries    int           // to complete the log
	done     chan struct{} // closed when the log is complete
	finished bool          // done is closed, and all descriptors are
}

// stream is one of the two pipes.
type stream struct {
	kind    logs.Stream
	file    *os.File
	watch   int32
	fdName  string
	drained bool // end of file was seen
}

// storeFD leaves a descriptor with the store for the next daemon. Without it that one loses something, but no
// container has to end for it now.
func (l *ContainerIO) storeFD(name string, f *os.File) {
	if err := l.hub.fdStore.Put(name, int(f.Fd())); err != nil {
		l.hub.log.Warn("a descriptor is not kept for the next podd", "name", name, "error", err)
	}
}

// abandon undoes newIO.
func (l *ContainerIO) abandon() {
	for _, s := range l.streams {
		l.hub.Reactor.Remove(s.watch)
	}
	l.sink.Suspend()
	l.journal.stop()
	l.release()
}

// The file descriptor store knows a container's descriptors by its ID and these.
const fdStdout, fdStderr, fdProcess = ".out", ".err", ".pid"

// follow hands the pipes to the store and to the reactor.
func (l *ContainerIO) follow(stored bool) error {
	for _, s := range l.streams {
		if !stored {
			l.storeFD(s.fdName, s.file)
		}
		watch, err := l.hub.Reactor.Add(int(s.file.Fd()), func() bool { return l.drain(s) })
		if err != nil {
			return err
		}
		s.watch = watch
	}
	return nil
}

// drain moves what a pipe holds to the log; true once there will be nothing more.
func (l *ContainerIO) drain(s *stream) bool {
	eof, err := l.sink.Drain(s.kind, int(s.file.Fd()), l.clients.tap(s.kind))
	if err != nil {
		l.hub.log.Error("cannot write a container's log", "containerID", l.id, "error", err)
	}
	s.drained = eof
	l.journal.wake()
	return eof
}

// Hold keeps the descriptors of a process for the next daemon.
func (l *ContainerIO) Hold(p *container.Process) error {
	l.pidfd = p.PIDFD
	if p.Terminal != nil {
		if err := l.openTerminal(p.Terminal, false); err != nil {
			return err
		}
	}
	l.storeFD(l.id+fdProcess, p.PIDFD)
	return nil
}

// WatchExit calls exited once the process is dead.
func (l *ContainerIO) WatchExit(exited func()) error {
	watch, err := l.hub.Reactor.Add(int(l.pidfd.Fd()), func() bool { exited(); return true })
	if err != nil {
		return err
	}
	l.exit = watch
	return nil
}

// Signal reaches this process and no other that may have got its number, or its descriptor's. A process that is gone needs
// none.
func (l *ContainerIO) Signal(s unix.Signal) error {
	if l.pidfd == nil {
		return nil
	}
	conn, err := l.pidfd.SyscallConn()
	if err == nil {
		// The descriptor is not closed meanwhile, and its number is nobody else's.
		closed := conn.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), s, nil, 0) })
		if closed != nil { // Finish has been called: the process has ended
			return nil
		}
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot send %s to container %s: %w", unix.SignalName(s), l.id, err)
	}
	return nil
}

// closeTries is how often a log is tried to be completed before its last lines are given up: a full disk may
// have room again in a while, but must not hold the container for ever.
const closeTries = 5

// Finish writes what the pipes still hold, when every process of the container is gone, and lets go of all
// descriptors. It is done once; what is left of the container may need several tries to be taken away.
func (l *ContainerIO) Finish() error {
	if l.finished {
		return nil
	}
	l.hub.Reactor.Remove(l.exit)
	if l.terminal != nil {
		l.clients.setTerminal(nil)
		l.terminal.finish(l)
		l.terminal = nil
	}
	for _, s := range l.streams {
		l.hub.Reactor.Remove(s.watch)
		l.drainRest(s)
	}
	l.clients.end()
	l.endStdin()
	if err := l.closeLog(); err != nil {
		if l.tries++; l.tries < closeTries {
			return err
		}
		l.hub.log.Error("the last lines of a container's log are lost", "containerID", l.id, "error", err)
	}
	l.finished = true
	close(l.done)
	l.journal.await()
	l.release()
	return nil
}

func (l *ContainerIO) closeLog() error {
	if l.sink == nil {
		return nil
	}
	return l.sink.Close()
}

// drainRest empties a pipe. Its capacity bounds the work: nobody is left to write into it.
func (l *ContainerIO) drainRest(s *stream) {
	for !s.drained {
		pending, err := unix.IoctlGetInt(int(s.file.Fd()), unix.TIOCINQ)
		if err != nil || pending == 0 || l.drain(s) {
			return
		}
	}
}

func (l *ContainerIO) release() {
	names := []string{l.id + fdProcess}
	for _, s := range l.streams {
		_ = s.file.Close()
		names = append(names, s.fdName)
	}
	if l.pidfd != nil {
		_ = l.pidfd.Close()
	}
	for _, name := range names {
		if err := l.hub.fdStore.Remove(name); err != nil {
			l.hub.log.Error("cannot take a descriptor out of the store", "name", name, "error", err)
		}
	}
}

// AdoptProcess finds the process of an adopted attempt: in the store, by the engine's state, or, where that is lost, by its
// number and the time of its start as the record has them. running is false if it is gone.
func (l *ContainerIO) AdoptProcess(pid int, startTime uint64) (running bool, err error) {
	if l.pidfd != nil {
		return true, nil
	}
	if f, ok := l.hub.claim(l.id + fdProcess); ok {
		l.pidfd = f
		return true, nil
	}
	found, err := l.hub.engine.Find(l.id)
	var pidfd *os.File
	if err == nil && found != nil {
		pidfd = found.PIDFD
	} else {
		pidfd = process.Open(pid, startTime)
	}
	if pidfd == nil {
		return false, err
	}
	l.storeFD(l.id+fdProcess, pidfd)
	l.pidfd = pidfd
	return true, nil
}

// Ended says whether the process has ended, which a hint may have claimed too early.
func (l *ContainerIO) Ended() bool {
	if l.pidfd == nil {
		return false
	}
	alive, err := process.Alive(int(l.pidfd.Fd()))
	return err == nil && !alive
}

// ExitStatus is how a process that has ended did so; process.ErrStatusUnknown if nobody knows.
func (l *ContainerIO) ExitStatus(pid int, startTime uint64) (process.ExitStatus, error) {
	fd := -1
	if l.pidfd != nil {
		fd = int(l.pidfd.Fd())
	}
	status, err := process.Reap(pid, startTime, fd)
	if errors.Is(err, process.ErrStatusUnknown) {
		status, err = l.hub.exits.take(pid)
	}
	l.hub.exits.forget(pid)
	return status, err
}

// Watched says that WatchExit has been called.
func (l *ContainerIO) Watched() bool { return l.exit != 0 }

// Done is closed when the log is complete.
func (l *ContainerIO) Done() <-chan struct{} { return l.done }
