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

// Pipes are the FIFOs of one container.
type Pipes struct {
	dir     string
	damaged atomicfile.Report
}

// Pipes are the FIFOs of a container.
func (e *Engine) Pipes(id string) Pipes { return Pipes{e.IO(id), e.Damaged} }

// OpenStdio makes a container's FIFOs, where they are missing, and opens the daemon's ends.
func (e *Engine) OpenStdio(id string) (Stdio, error) {
	if err := atomicfile.EnsureDir(e.IO(id), 0o700, e.Damaged, "what was written last is lost"); err != nil {
		return Stdio{}, fmt.Errorf("cannot make the output of container %s: %w", id, err)
	}
	stdout, err := e.Pipes(id).open(stdoutFIFO, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return Stdio{}, err
	}
	stderr, err := e.Pipes(id).open(stderrFIFO, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		closeFile(stdout)
		return Stdio{}, err
	}
	return Stdio{stdout, stderr}, nil
}

// OpenOutput opens the FIFO of stdout for writing too: what a terminal says goes through it, so that one way
// leads to the log.
func (p Pipes) OpenOutput() (*os.File, error) {
	return p.open(stdoutFIFO, unix.O_RDWR|unix.O_NONBLOCK)
}

// OpenEndingStdin makes the FIFO of a stdin that ends, and opens the only end that can be written to: when its last
// descriptor goes, the container reads the end of its stdin.
func (p Pipes) OpenEndingStdin() (*os.File, error) {
	// For writing alone it can only be opened while it has a reader.
	both, err := p.open(stdinFIFO, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer closeFile(both)
	return p.open(stdinFIFO, unix.O_WRONLY|unix.O_NONBLOCK)
}

// OpenStdin opens a running container's stdin, which does not end, for writing; nil: the container has closed it, or was
// started by a podd that did not know of it. The file is in Go's poller.
func (p Pipes) OpenStdin() (*os.File, error) {
	path := filepath.Join(p.dir, stdinFIFO)
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), path), nil
	case unix.ENXIO, unix.ENOENT:
		return nil, nil
	}
	return nil, fmt.Errorf("cannot open %s: %w", path, err)
}

// openEndingEnd opens a FIFO as a container gets it whose stdin ends: for reading alone. It does not wait for a writer.
func (p Pipes) openEndingEnd() (*os.File, error) {
	f, err := p.open(stdinFIFO, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(int(f.Fd()), false); err != nil { // the container would have it
		closeFile(f)
		return nil, fmt.Errorf("cannot set up %s: %w", f.Name(), err)
	}
	return f, nil
}

// openContainerEnd opens a FIFO as the container gets it: for reading and writing, so that the container
// is a reader of its own and no write of it fails while the daemon is dead. man 7 fifo.
func (p Pipes) openContainerEnd(name string) (*os.File, error) {
	return p.open(name, unix.O_RDWR)
}

// open makes a FIFO that is missing, and opens it. What stands in its place and is none is set aside: the container
// writes to the one that it has.
func (p Pipes) open(name string, flags int) (*os.File, error) {
	path := filepath.Join(p.dir, name)
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeType != os.ModeNamedPipe {
		p.damaged.Of(atomicfile.SetAside(path, errors.New("it is not a FIFO")), "what a container writes may be lost until it starts again")
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
