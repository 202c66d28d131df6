package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// SinkConfig says where the output of one attempt of a container goes.
type SinkConfig struct {
	Path     string           // the log, .../<attempt>.log
	SpoolDir string           // folder for this attempt's *.spool and spool.state, on tmpfs
	MaxSize  int64            // bytes at which the log is rotated, 0: 10 MiB
	MaxFiles int              // files to keep with the current one, 0: 5, at least 2
	SpoolMax int64            // bytes a stream that wait for a full disk, 0: 1 MiB
	Now      func() time.Time // nil: time.Now
	// Damaged is told of what stands in the place of a file, or cannot be believed, and was set aside; nil: nobody is.
	Damaged atomicfile.Report

	shop *workshop // tests have one of their own
}

// Sink turns a container attempt's stdout and stderr pipes into one CRI log file,
// exactly once even when the process is killed at any instruction. Its methods
// may be called by several goroutines; all sinks take turns.
type Sink struct {
	c      SinkConfig
	shop   *workshop
	closed bool
	told   int64 // when an error was returned last, Unix seconds

	memory  []byte
	page    *page
	spool   [streams]int // descriptors, -1: not open
	size    [streams]int64
	log     int // descriptor, -1: not open
	logSize int64
	inode   uint64
}

// OpenSink opens or takes over the log of one attempt: what an earlier process had
// begun is finished. A log that cannot be written is no error yet, the disk may
// have room later; a spool that cannot be made is one.
func OpenSink(c SinkConfig) (*Sink, error) {
	c.setDefaults()
	s := &Sink{c: c, shop: c.shop, spool: [streams]int{-1, -1}, log: -1}
	if err := atomicfile.EnsureDir(c.SpoolDir, 0o700, c.Damaged, lostLines); err != nil {
		return nil, fmt.Errorf("cannot make log spool: %w", err)
	}
	s.shop.mu.Lock()
	defer s.shop.mu.Unlock()
	if err := s.shop.acquire(s); err != nil {
		return nil, err
	}
	if err := s.recover(); err != nil {
		s.shop.release(s)
		return nil, err
	}
	return s, nil
}

func (c *SinkConfig) setDefaults() {
	if c.MaxSize == 0 {
		c.MaxSize = 10 << 20
	}
	if c.MaxFiles == 0 {
		c.MaxFiles = 5
	}
	c.MaxFiles = max(c.MaxFiles, 2)
	if c.SpoolMax == 0 {
		c.SpoolMax = 1 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.shop == nil {
		c.shop = &common
	}
}

// recover finishes what an earlier process had begun.
func (s *Sink) recover() error {
	if err := s.endMove(); err != nil {
		return err
	}
	s.sweep()
	err := s.mendLog()
	for st := Stdout; err == nil && st < streams; st++ {
		if !s.hasSpool(st) {
			continue
		}
		if err := s.openSpool(st); err != nil {
			return err
		}
		err = s.flush(st, false)
	}
	return nil // what the log did not take is tried again, and told of, by Drain
}

// Drain moves what a pipe holds, at most 64 KiB, to the log. fd is the
// nonblocking read end of a pipe or FIFO; with more in it than that, level
// triggered polling calls again. eof says that the pipe is empty and has no
// writer, or none yet: after a hang-up of both streams it is time for Close. An
// error, of which there is one a minute at most, does not mean that draining should
// end; only eof does. tap is given what was moved, as it came out of the pipe: it may
// not keep it, and must not wait, because all sinks do meanwhile; nil: nobody wants it.
func (s *Sink) Drain(st Stream, fd int, tap func([]byte)) (eof bool, err error) {
	s.shop.mu.Lock()
	defer s.shop.mu.Unlock()
	if s.closed {
		return true, ErrClosed
	}
	if err := s.shop.acquire(s); err != nil {
		return false, s.once(err)
	}
	n, err := s.fill(st, fd)
	if errors.Is(err, unix.EAGAIN) {
		return false, nil
	}
	if err != nil {
		return s.bypass(st, fd, err, tap)
	}
	if tap != nil && n > 0 {
		if in, err := s.peek(st, s.size[st]-int64(n)); err == nil {
			tap(in)
		}
	}
	return n == 0, s.once(s.flush(st, false))
}

// Flush writes to the log what waits since the disk was full. Drain does so too:
// this is for a container that says nothing more.
func (s *Sink) Flush() error {
	s.shop.mu.Lock()
	defer s.shop.mu.Unlock()
	if s.closed {
		return nil
	}
	if err := s.shop.acquire(s); err != nil {
		return err
	}
	return s.flushAll(false)
}

// Close writes a last line without newline to the log and removes the spool.
// After an error the sink is still open and Close can be called again; the spool
// keeps what is not in the log.
func (s *Sink) Close() error {
	s.shop.mu.Lock()
	defer s.shop.mu.Unlock()
	if s.closed {
		return nil
	}
	if err := s.shop.acquire(s); err != nil {
		return err
	}
	if err := s.flushAll(true); err != nil {
		return err
	}
	s.shop.at("close: flushed")
	s.closed = true
	s.shop.release(s)
	return s.removeSpool()
}

// Suspend lets go of what the sink has open and leaves its spool as it is, for the
// process that opens the sink next.
func (s *Sink) Suspend() {
	s.shop.mu.Lock()
	defer s.shop.mu.Unlock()
	s.closed = true
	s.shop.release(s)
}

// flushAll is flush for both streams; with last nothing more will come.
func (s *Sink) flushAll(last bool) error {
	for st := Stdout; st < streams; st++ {
		if s.hasSpool(st) {
			if err := s.openSpool(st); err != nil {
				return err
			}
		}
		if err := s.flush(st, last); err != nil {
			return err
		}
		if last {
			if err := s.confess(st); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeSpool removes the files, the state last: without it an empty spool means
// the same.
func (s *Sink) removeSpool() error {
	for _, path := range []string{s.spoolPath(Stdout), s.spoolPath(Stderr), filepath.Join(s.c.SpoolDir, stateFile)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove log spool: %w", err)
		}
		s.shop.at("close: removed " + filepath.Base(path))
	}
	// The container's FIFOs may be in the folder too.
	if err := unix.Rmdir(s.c.SpoolDir); err != nil && err != unix.ENOTEMPTY && err != unix.ENOENT && err != unix.EEXIST {
		return fmt.Errorf("cannot remove log spool %s: %w", s.c.SpoolDir, err)
	}
	return nil
}

// quiet is the time, in seconds, within which Drain returns one error: with a full
// disk each call has one.
const quiet = 60

// once passes an error on unless there was one lately.
func (s *Sink) once(err error) error {
	if err == nil {
		return nil
	}
	now := s.c.Now().Unix()
	if age := now - s.told; age >= 0 && age < quiet {
		return nil
	}
	s.told = now
	return err
}
