// Package stdio carries what containers write from their pipes and terminals to their logs, and keeps the descriptors of
// their processes: one epoll instance for all of them, and systemd's descriptor store for the time without a daemon.
package stdio

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"podd/internal/journald"
	"podd/runtime/container"
	"podd/runtime/logs"
)

// FDStore keeps file descriptors while no daemon lives.
type FDStore interface {
	Available() bool
	Received() map[string]int
	Put(name string, fd int) error
	Remove(name string) error
}

// Log is where and how the output of one attempt is written.
type Log struct {
	Path     string
	MaxSize  int64 // bytes of one file
	MaxFiles int
	// Journal: what is in the log goes to the journal, too, with these fields. An attempt that an earlier daemon has started
	// goes on as it began.
	Journal bool
	Fields  []JournalField
}

// Hub makes ContainerIOs and has what they share.
type Hub struct {
	Reactor *Reactor
	engine  *container.Engine
	fdStore FDStore
	log     *slog.Logger
	exits   exitStatuses
	journal journald.Conn
	// received are the descriptors of an earlier daemon that nobody has claimed yet.
	received map[string]int
}

// NewHub makes one that knows no container yet.
func NewHub(engine *container.Engine, store FDStore, log *slog.Logger) (*Hub, error) {
	reactor, err := newReactor()
	if err != nil {
		return nil, err
	}
	return &Hub{Reactor: reactor, engine: engine, fdStore: store, log: log, journal: journald.Conn{Path: journald.Socket}}, nil
}

// Receive takes the descriptors that an earlier daemon left in the store, to be claimed by Adopt and AdoptProcess.
func (h *Hub) Receive() { h.received = h.fdStore.Received() }

// Open opens the pipes and the log of a new attempt and begins to drain them. stdinEnds: its stdin is a pipe that ends.
func (h *Hub) Open(id string, log Log, stdinEnds bool) (*ContainerIO, error) {
	pipes, err := h.engine.OpenStdio(id)
	if err != nil {
		return nil, err
	}
	if log.Journal {
		if err := h.beginForward(id); err != nil {
			pipes.Close()
			return nil, fmt.Errorf("cannot write to the journal: %w", err)
		}
	}
	l, err := h.newIO(id, log, pipes, false)
	if err != nil || !stdinEnds {
		return l, err
	}
	stdin, err := h.engine.Pipes(id).OpenEndingStdin()
	if err != nil {
		l.abandon()
		return nil, err
	}
	l.keepStdin(stdin, false)
	return l, nil
}

// newIO takes the pipes; stored says that the descriptor store has them already.
func (h *Hub) newIO(id string, log Log, pipes container.Stdio, stored bool) (*ContainerIO, error) {
	sink, err := logs.OpenSink(logs.SinkConfig{
		Path: log.Path, SpoolDir: h.engine.IO(id), MaxSize: log.MaxSize, MaxFiles: log.MaxFiles, Now: time.Now,
		Damaged: h.engine.Damaged,
	})
	if err != nil {
		pipes.Close()
		return nil, err
	}
	l := &ContainerIO{hub: h, id: id, sink: sink, done: make(chan struct{}), streams: []*stream{
		{kind: logs.Stdout, file: pipes.Stdout, fdName: id + fdStdout},
		{kind: logs.Stderr, file: pipes.Stderr, fdName: id + fdStderr},
	}}
	if h.forwards(id) {
		l.forward(log)
	}
	if err := l.follow(stored); err != nil {
		l.abandon()
		return nil, err
	}
	return l, nil
}

// NewUnlogged is the ContainerIO of an attempt whose log cannot be followed: it is watched and stopped like any other.
func (h *Hub) NewUnlogged(id string) *ContainerIO {
	return &ContainerIO{hub: h, id: id, done: make(chan struct{})}
}

// Adopt takes over the pipes and the terminal of an attempt that an earlier daemon started. stored says that the
// descriptor store has kept the pipes meanwhile. What an earlier daemon left of the log's spool is used if it can be.
func (h *Hub) Adopt(id string, log Log) (l *ContainerIO, stored bool, err error) {
	if _, ok := h.received[id+fdTerminal]; ok {
		// The earlier daemon wrote what the terminal says, and nobody else: without a writer the reactor takes the pipe of
		// stdout for ended, and forgets it.
		writer, err := h.engine.Pipes(id).OpenOutput()
		if err != nil {
			return nil, false, err
		}
		defer writer.Close()
	}
	pipes, stored, err := h.adoptPipes(id)
	if err != nil {
		return nil, stored, err
	}
	if l, err = h.newIO(id, log, pipes, stored); err != nil {
		h.log.Error("lines of a log that were not written yet are lost", "containerID", id, "error", err)
		if err = h.engine.RemoveSpool(id); err != nil {
			return nil, stored, err
		}
		if pipes, err = h.engine.OpenStdio(id); err != nil {
			return nil, stored, err
		}
		if l, err = h.newIO(id, log, pipes, false); err != nil {
			return nil, stored, err
		}
	}
	// Without it the container has read the end of its stdin: nobody else had the other side.
	if stdin, ok := h.claim(id + fdStdin); ok {
		l.keepStdin(stdin, true)
	}
	if master, ok := h.claim(id + fdTerminal); ok {
		err = l.openTerminal(master, true)
	}
	return l, stored, err
}

// adoptPipes takes the pipes from the store, or opens the FIFOs anew: what a living container has written since is still
// in them, because it holds their other end for reading too.
func (h *Hub) adoptPipes(id string) (pipes container.Stdio, stored bool, err error) {
	stdout, haveOut := h.claim(id + fdStdout)
	stderr, haveErr := h.claim(id + fdStderr)
	if haveOut && haveErr {
		return container.Stdio{Stdout: stdout, Stderr: stderr}, true, nil
	}
	pipes, err = h.engine.OpenStdio(id)
	return pipes, false, err
}

func (h *Hub) claim(name string) (*os.File, bool) {
	fd, ok := h.received[name]
	if !ok {
		return nil, false
	}
	delete(h.received, name)
	return container.NewFile(fd, name), true
}

// DropUnclaimed closes the descriptors of an earlier daemon that belong to nothing any more; keep says of a name that it may
// be claimed later, nil: none may.
func (h *Hub) DropUnclaimed(keep func(name string) bool) {
	for name, fd := range h.received {
		if keep != nil && keep(name) {
			continue
		}
		delete(h.received, name)
		_ = container.NewFile(fd, name).Close()
		if err := h.fdStore.Remove(name); err != nil {
			h.log.Error("cannot take a descriptor out of the store", "name", name, "error", err)
		}
	}
}

// AwaitExits listens for the ends of adopted processes on kernels whose pidfds do not keep the exit status.
func (h *Hub) AwaitExits(pids []int, listen ExitEvents) {
	if listen == nil || pidfdsKeepStatus() {
		return
	}
	h.exits.await(pids, listen, func(err error) {
		h.log.Warn("exit codes of adopted containers may be unknown on this kernel", "error", err)
	})
}
