package logs

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// chunk is what one Drain takes from a pipe: Linux' default pipe size.
	chunk = 64 << 10
	// batch bounds one write to a log.
	batch = 128 << 10
	// maxOpen is how many sinks keep their descriptors (three) and their mapping.
	maxOpen = 16
)

// workshop is what all sinks of a process share: the buffers, the descriptors of
// the sinks used last, and the lock around both.
type workshop struct {
	mu      sync.Mutex
	in, out []byte
	prefix  []byte
	open    []*Sink // least recently used first

	squeezing bool           // the goroutine that compresses is running
	waiting   []string       // logs that may have files to compress
	squeezers sync.WaitGroup // for tests

	// For tests: called between the steps of the protocol, and instead of pwrite.
	step  func(name string)
	write func(fd int, p []byte, offset int64) (int, error)
}

// common is the workshop of the process's sinks.
var common workshop

// acquire opens the sink's state, makes it the one used last, and lets go of the
// one that was not used for longest.
func (w *workshop) acquire(s *Sink) error {
	if w.in == nil {
		w.in = make([]byte, chunk)
		w.out = make([]byte, 0, batch)
		w.prefix = make([]byte, 0, prefixLen)
	}
	if n := len(w.open); n > 0 && w.open[n-1] == s {
		return nil
	}
	if s.page == nil {
		memory, p, err := mapState(s.c.SpoolDir, s.c.Damaged)
		if err != nil {
			return err
		}
		s.memory, s.page = memory, p
	}
	w.forget(s)
	if len(w.open) >= maxOpen {
		w.release(w.open[0])
	}
	w.open = append(w.open, s)
	return nil
}

// release closes everything that the sink has open.
func (w *workshop) release(s *Sink) {
	w.forget(s)
	for st := range s.spool {
		closeFD(&s.spool[st])
	}
	closeFD(&s.log)
	if s.page != nil {
		unix.Munmap(s.memory)
		s.memory, s.page = nil, nil
	}
}

func (w *workshop) forget(s *Sink) {
	if i := slices.Index(w.open, s); i >= 0 {
		w.open = slices.Delete(w.open, i, i+1)
	}
}

// at marks a step of the protocol, at which a test may end the process.
func (w *workshop) at(step string) {
	if w.step != nil {
		w.step(step)
	}
}

func (w *workshop) pwrite(fd int, p []byte, offset int64) (int, error) {
	if w.write != nil {
		return w.write(fd, p, offset)
	}
	return unix.Pwrite(fd, p, offset)
}

// closeFD closes a descriptor unless it is -1, and makes it -1.
func closeFD(fd *int) {
	if *fd >= 0 {
		unix.Close(*fd)
		*fd = -1
	}
}
