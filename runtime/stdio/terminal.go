package stdio

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
)

// terminal carries what a container writes to its terminal into the FIFO of its stdout, from where it takes
// the way of all output into the log.
type terminal struct {
	master *os.File
	// slave keeps the other side open: without it the terminal would count as closed whenever no process of
	// the container has it open, and a container may well open it again.
	slave  *os.File
	output *os.File
	watch  int32
}

const fdTerminal = ".tty"

// terminalChunk is less than an empty pipe takes in one write without blocking.
const terminalChunk = 4096

func (l *ContainerIO) openTerminal(master *os.File, stored bool) error {
	output, err := l.hub.engine.Pipes(l.id).OpenOutput()
	if err != nil {
		return err
	}
	// Received and fresh ones alike must be out of Go's poller, or both would read.
	l.terminal = &terminal{master: container.NewFile(dup(master), l.id+fdTerminal), output: output}
	_ = master.Close()
	if l.terminal.slave, err = openSlave(l.terminal.master); err != nil {
		return err
	}
	if !stored {
		l.storeFD(l.id+fdTerminal, l.terminal.master)
	}
	l.clients.setTerminal(l.terminal.master)
	fd := int(l.terminal.master.Fd())
	l.terminal.watch, err = l.hub.Reactor.Add(fd, func() bool { return l.pump() })
	return err
}

// openSlave opens the other side of a terminal without a look at any container's /dev. man 2 ioctl_tty,
// TIOCGPTPEER: Linux 4.13.
func openSlave(master *os.File) (*os.File, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, fmt.Errorf("cannot open the other side of a terminal: %w", errno)
	}
	return os.NewFile(fd, "terminal"), nil
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
func (l *ContainerIO) pump() bool {
	n, end := l.move()
	return n == 0 && end
}

// move moves one chunk and says how much it was and, if it was nothing, whether that is the end.
func (l *ContainerIO) move() (moved int, end bool) {
	buf := make([]byte, terminalChunk)
	n, err := unix.Read(int(l.terminal.master.Fd()), buf)
	if err != nil || n <= 0 {
		return 0, err != unix.EAGAIN && err != unix.EINTR
	}
	// The log takes what the pipe holds before more is put in, so that the pipe has room.
	l.drain(l.streams[0])
	_, _ = unix.Write(int(l.terminal.output.Fd()), buf[:n])
	return n, false
}

// finish moves the rest, which the terminal's buffer bounds, and closes all ends. Closing the slave first makes
// the kernel hand over what it still holds.
func (t *terminal) finish(l *ContainerIO) {
	l.hub.Reactor.Remove(t.watch)
	_ = t.slave.Close()
	for {
		if n, _ := l.move(); n == 0 {
			break
		}
	}
	_ = t.master.Close()
	_ = t.output.Close()
	if err := l.hub.fdStore.Remove(l.id + fdTerminal); err != nil {
		l.hub.log.Error("cannot take a descriptor out of the store", "name", l.id+fdTerminal, "error", err)
	}
}
