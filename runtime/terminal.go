package runtime

import (
	"os"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
)

// terminal carries what a container writes to its terminal into the FIFO of its stdout, from where it takes
// the way of all output into the log.
type terminal struct {
	master *os.File
	output *os.File
	watch  int32
}

const fdTerminal = ".tty"

// terminalChunk is less than an empty pipe takes in one write without blocking.
const terminalChunk = 4096

func (l *live) openTerminal(r *Runtime, master *os.File, stored bool) error {
	output, err := r.engine.OpenOutput(l.id)
	if err != nil {
		return err
	}
	// Received and fresh ones alike must be out of Go's poller, or both would read.
	l.terminal = &terminal{master: container.NewFile(dup(master), l.id+fdTerminal), output: output}
	_ = master.Close()
	fd := int(l.terminal.master.Fd())
	if !stored {
		if err := r.FDStore.Put(l.id+fdTerminal, fd); err != nil {
			return err
		}
	}
	l.terminal.watch, err = r.reactor.add(fd, func() bool { return l.pump(r) })
	return err
}

// dup makes a descriptor that no finalizer of another file closes.
func dup(f *os.File) int {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

// pump moves one chunk; true at the end of the terminal, which the kernel tells by EIO once nobody has its
// other side open.
func (l *live) pump(r *Runtime) bool {
	buf := make([]byte, terminalChunk)
	n, err := unix.Read(int(l.terminal.master.Fd()), buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return false
	}
	if err != nil || n == 0 {
		return true
	}
	// The log takes what the pipe holds before more is put in, so that the pipe has room.
	l.drain(r, l.streams[0])
	_, _ = unix.Write(int(l.terminal.output.Fd()), buf[:n])
	return false
}

// finish moves the rest, which the terminal's buffer bounds, and closes both ends.
func (t *terminal) finish(r *Runtime, l *live) {
	r.reactor.remove(t.watch)
	for {
		pending, err := unix.IoctlGetInt(int(t.master.Fd()), unix.TIOCINQ)
		if err != nil || pending == 0 || l.pump(r) {
			break
		}
	}
	_ = t.master.Close()
	_ = t.output.Close()
	if err := r.FDStore.Remove(l.id + fdTerminal); err != nil {
		r.Log.Error("cannot take a descriptor out of the store", "name", l.id+fdTerminal, "error", err)
	}
}
