package stdio

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Reactor waits for all file descriptors of all pods with one epoll instance, which itself waits in Go's
// poller: no thread and no goroutine for a container, and no wake-up while nothing happens.
type Reactor struct {
	epoll *os.File
	fd    int
	// closed: a file that is closed while somebody waits for it says so with an error that package os does not name.
	closed atomic.Bool

	mu   sync.Mutex // held while a handler runs, so that remove returns only when none is running
	next int32
	on   map[int32]*watched
}

type watched struct {
	fd    int
	ready func() (done bool)
}

// newReactor makes one that watches nothing yet.
func newReactor() (*Reactor, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make an epoll instance: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("cannot set up an epoll instance: %w", err)
	}
	return &Reactor{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, on: map[int32]*watched{}}, nil
}

// Add calls ready, one handler at a time, whenever fd is readable or hung up, until it says done.
func (r *Reactor) Add(fd int, ready func() (done bool)) (int32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	id := r.next
	if err := unix.EpollCtl(r.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: id}); err != nil {
		return 0, fmt.Errorf("cannot watch a descriptor: %w", err)
	}
	r.on[id] = &watched{fd, ready}
	return id, nil
}

// Remove forgets a descriptor; its handler is not running any more when remove returns.
func (r *Reactor) Remove(id int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(id)
}

func (r *Reactor) drop(id int32) {
	if w, ok := r.on[id]; ok {
		_ = unix.EpollCtl(r.fd, unix.EPOLL_CTL_DEL, w.fd, nil)
		delete(r.on, id)
	}
}

// Run serves until the reactor is closed.
func (r *Reactor) Run() error {
	conn, err := r.epoll.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot wait for descriptors: %w", err)
	}
	events := make([]unix.EpollEvent, 64)
	for {
		var n int
		var waitErr error
		err := conn.Read(func(fd uintptr) bool {
			n, waitErr = unix.EpollWait(int(fd), events, 0)
			return n > 0 || waitErr != nil && !errors.Is(waitErr, unix.EINTR)
		})
		if err != nil && r.closed.Load() {
			return nil
		}
		if err := errors.Join(err, waitErr); err != nil {
			return fmt.Errorf("cannot wait for descriptors: %w", err)
		}
		r.serve(events[:n])
	}
}

func (r *Reactor) serve(events []unix.EpollEvent) {
	for _, e := range events {
		r.mu.Lock()
		if w, ok := r.on[e.Fd]; ok && w.ready() {
			r.drop(e.Fd)
		}
		r.mu.Unlock()
	}
}

// Close ends Run.
func (r *Reactor) Close() error {
	r.closed.Store(true)
	return r.epoll.Close()
}
