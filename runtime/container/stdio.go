package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// Stdio holds the daemon's ends of a container's output: nonblocking FIFOs.
type Stdio struct {
	Stdout, Stderr *os.File
}

// Close closes both ends.
func (s Stdio) Close() {
	closeFile(s.Stdout)
	closeFile(s.Stderr)
}

const stdinFIFO, stdoutFIFO, stderrFIFO = "stdin", "stdout", "stderr"

// OpenStdio makes a container's FIFOs, where they are missing, and opens the daemon's ends.
func (e *Engine) OpenStdio(id string) (Stdio, error) {
	if err := atomicfile.EnsureDir(e.IO(id), 0o700, e.Damaged, "what was written last is lost"); err != nil {
		return Stdio{}, fmt.Errorf("cannot make the output of container %s: %w", id, err)
	}
	stdout, err := e.openFIFO(filepath.Join(e.IO(id), stdoutFIFO), unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return Stdio{}, err
	}
	stderr, err := e.openFIFO(filepath.Join(e.IO(id), stderrFIFO), unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		closeFile(stdout)
		return Stdio{}, err
	}
	return Stdio{stdout, stderr}, nil
}

// OpenOutput opens the FIFO of stdout for writing too: what a terminal says goes through it, so that one way
// leads to the log.
func (e *Engine) OpenOutput(id string) (*os.File, error) {
	return e.openFIFO(filepath.Join(e.IO(id), stdoutFIFO), unix.O_RDWR|unix.O_NONBLOCK)
}

// openContainerEnd opens a FIFO as the container gets it: for reading and writing, so that the container
// is a reader of its own and no write of it fails while the daemon is dead. man 7 fifo.
func (e *Engine) openContainerEnd(id, name string) (*os.File, error) {
	return e.openFIFO(filepath.Join(e.IO(id), name), unix.O_RDWR)
}

// openFIFO makes a FIFO that is missing, and opens it. What stands in its place and is none is set aside: the container
// writes to the one that it has.
func (e *Engine) openFIFO(path string, flags int) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeType != os.ModeNamedPipe {
		e.Damaged.Of(atomicfile.SetAside(path, errors.New("it is not a FIFO")), "what a container writes may be lost until it starts again")
	}
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("cannot make %s: %w", path, err)
	}
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	if flags&unix.O_NONBLOCK == 0 {
		return os.NewFile(uintptr(fd), path), nil
	}
	return NewFile(fd, path), nil
}

// NewFile wraps a descriptor that somebody else polls: os.NewFile would put one that does not block into
// Go's own poller, and each event would wake both.
func NewFile(fd int, name string) *os.File {
	_ = unix.SetNonblock(fd, false)
	f := os.NewFile(uintptr(fd), name)
	_ = unix.SetNonblock(fd, true)
	return f
}

// RemoveSpool removes everything of a container's output but the FIFOs.
func (e *Engine) RemoveSpool(id string) error {
	entries, err := os.ReadDir(e.IO(id))
	if err != nil {
		return fmt.Errorf("cannot list the output of container %s: %w", id, err)
	}
	var errs []error
	for _, entry := range entries {
		if entry.Type()&os.ModeNamedPipe == 0 {
			errs = append(errs, os.RemoveAll(filepath.Join(e.IO(id), entry.Name())))
		}
	}
	return errors.Join(errs...)
}

// RemoveIO removes a container's FIFOs and spool.
func (e *Engine) RemoveIO(id string) error {
	if err := os.RemoveAll(e.IO(id)); err != nil {
		return fmt.Errorf("cannot remove the output of container %s: %w", id, err)
	}
	return nil
}

func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}
