package runtime

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// reactor waits for all file descriptors of all pods with one epoll instance, which itself waits in Go's
// poller: no thread and no goroutine for a container, and no wake-up while nothing happens.
type reactor struct {
	epoll *os.File
	fd    int

	mu   sync.Mutex // held while a handler runs, so that remove returns only when none is running
	next int32
	on   map[int32]*watched
}

type watched struct {
	fd    int
	ready func() (done bool)
}

func newReactor() (*reactor, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make an epoll instance: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("cannot set up an epoll instance: %w", err)
	}
	return &reactor{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, on: map[int32]*watched{}}, nil
}

// add calls ready, one handler at a time, whenever fd is readable or hung up, until it says done.
func (r *reactor) add(fd int, ready func() (done bool)) (int32, error) {
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

// remove forgets a descriptor; its handler is not running any more when remove returns.
func (r *reactor) remove(id int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(id)
}

func (r *reactor) drop(id int32) {
	if w, ok := r.on[id]; ok {
		_ = unix.EpollCtl(r.fd, unix.EPOLL_CTL_DEL, w.fd, nil)
		delete(r.on, id)
	}
}

// run serves until the reactor is closed.
func (r *reactor) run() error {
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
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err := errors.Join(err, waitErr); err != nil {
			return fmt.Errorf("cannot wait for descriptors: %w", err)
		}
		r.serve(events[:n])
	}
}

func (r *reactor) serve(events []unix.EpollEvent) {
	for _, e := range events {
		r.mu.Lock()
		if w, ok := r.on[e.Fd]; ok && w.ready() {
			r.drop(e.Fd)
		}
		r.mu.Unlock()
	}
}

func (r *reactor) close() error { return r.epoll.Close() }
