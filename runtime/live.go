package runtime

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
	"podd/runtime/logs"
	"podd/runtime/state"
)

// live holds the descriptors of one attempt of a container.
type live struct {
	id      string
	pidfd   *os.File // nil once nobody needs it
	exit    int32    // the reactor's number for pidfd; 0: not watched
	sink    *logs.Sink
	streams []*stream
	// terminal is there for a container that has one.
	terminal *terminal
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

// openLive opens the pipes and the log of an attempt and begins to drain them.
func (r *Runtime) openLive(rec *state.Record, name string, attempt int) (*live, error) {
	id := state.ContainerID(rec.UID, name, attempt)
	stdio, err := r.engine.OpenStdio(id)
	if err != nil {
		return nil, err
	}
	return r.newLive(rec, name, attempt, stdio, false)
}

// newLive takes the pipes; stored says that the descriptor store has them already.
func (r *Runtime) newLive(rec *state.Record, name string, attempt int, stdio container.Stdio, stored bool) (*live, error) {
	id, settings := state.ContainerID(rec.UID, name, attempt), r.settings.Load()
	sink, err := logs.OpenSink(logs.SinkConfig{
		Path: r.logPath(rec, name, attempt), SpoolDir: r.engine.IO(id),
		MaxSize: settings.LogMaxSize, MaxFiles: settings.LogMaxFiles, Now: time.Now,
	})
	if err != nil {
		stdio.Close()
		return nil, err
	}
	l := &live{id: id, sink: sink, done: make(chan struct{}), streams: []*stream{
		{kind: logs.Stdout, file: stdio.Stdout, fdName: id + fdStdout},
		{kind: logs.Stderr, file: stdio.Stderr, fdName: id + fdStderr},
	}}
	if err := l.follow(r, stored); err != nil {
		l.abandon(r)
		return nil, err
	}
	return l, nil
}

// bare is a container whose log cannot be followed: it is watched and stopped like any other.
func bare(id string) *live { return &live{id: id, done: make(chan struct{})} }

// keep leaves a descriptor with the store for the next daemon. Without it that one loses something, but no
// container has to end for it now.
func (l *live) keep(r *Runtime, name string, f *os.File) {
	if err := r.FDStore.Put(name, int(f.Fd())); err != nil {
		r.Log.Warn("a descriptor is not kept for the next podd", "name", name, "error", err)
	}
}

// abandon undoes newLive.
func (l *live) abandon(r *Runtime) {
	for _, s := range l.streams {
		r.reactor.remove(s.watch)
	}
	l.sink.Suspend()
	l.release(r)
}

// The file descriptor store knows a container's descriptors by its ID and these.
const fdStdout, fdStderr, fdProcess = ".out", ".err", ".pid"

// follow hands the pipes to the store and to the reactor.
func (l *live) follow(r *Runtime, stored bool) error {
	for _, s := range l.streams {
		if !stored {
			l.keep(r, s.fdName, s.file)
		}
		watch, err := r.reactor.add(int(s.file.Fd()), func() bool { return l.drain(r, s) })
		if err != nil {
			return err
		}
		s.watch = watch
	}
	return nil
}

// drain moves what a pipe holds to the log; true once there will be nothing more.
func (l *live) drain(r *Runtime, s *stream) bool {
	eof, err := l.sink.Drain(s.kind, int(s.file.Fd()))
	if err != nil {
		r.Log.Error("cannot write a container's log", "containerID", l.id, "error", err)
	}
	s.drained = eof
	return eof
}

// hold keeps the descriptors of a process for the next daemon.
func (l *live) hold(r *Runtime, p *container.Process) error {
	l.pidfd = p.PIDFD
	if p.Terminal != nil {
		if err := l.openTerminal(r, p.Terminal, false); err != nil {
			return err
		}
	}
	l.keep(r, l.id+fdProcess, p.PIDFD)
	return nil
}

// watchExit calls exited once the process is dead.
func (l *live) watchExit(r *Runtime, exited func()) error {
	watch, err := r.reactor.add(int(l.pidfd.Fd()), func() bool { exited(); return true })
	if err != nil {
		return err
	}
	l.exit = watch
	return nil
}

// signal reaches this process and no other that may have got its number. A process that is gone needs none.
func (l *live) signal(s unix.Signal) error {
	if l.pidfd == nil {
		return nil
	}
	if err := unix.PidfdSendSignal(int(l.pidfd.Fd()), s, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot send %s to container %s: %w", unix.SignalName(s), l.id, err)
	}
	return nil
}

// closeTries is how often a log is tried to be completed before its last lines are given up: a full disk may
// have room again in a while, but must not hold the container for ever.
const closeTries = 5

// finish writes what the pipes still hold, when every process of the container is gone, and lets go of all
// descriptors. It is done once; what is left of the container may need several tries to be taken away.
func (l *live) finish(r *Runtime) error {
	if l.finished {
		return nil
	}
	r.reactor.remove(l.exit)
	if l.terminal != nil {
		l.terminal.finish(r, l)
		l.terminal = nil
	}
	for _, s := range l.streams {
		r.reactor.remove(s.watch)
		l.drainRest(r, s)
	}
	if err := l.closeLog(); err != nil {
		if l.tries++; l.tries < closeTries {
			return err
		}
		r.Log.Error("the last lines of a container's log are lost", "containerID", l.id, "error", err)
	}
	l.finished = true
	close(l.done)
	l.release(r)
	return nil
}

func (l *live) closeLog() error {
	if l.sink == nil {
		return nil
	}
	return l.sink.Close()
}

// drainRest empties a pipe. Its capacity bounds the work: nobody is left to write into it.
func (l *live) drainRest(r *Runtime, s *stream) {
	for !s.drained {
		pending, err := unix.IoctlGetInt(int(s.file.Fd()), unix.TIOCINQ)
		if err != nil || pending == 0 || l.drain(r, s) {
			return
		}
	}
}

func (l *live) release(r *Runtime) {
	names := []string{l.id + fdProcess}
	for _, s := range l.streams {
		_ = s.file.Close()
		names = append(names, s.fdName)
	}
	if l.pidfd != nil {
		_ = l.pidfd.Close()
	}
	for _, name := range names {
		if err := r.FDStore.Remove(name); err != nil {
			r.Log.Error("cannot take a descriptor out of the store", "name", name, "error", err)
		}
	}
}
