package fdstoretest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// kept is one stored descriptor.
type kept struct {
	name string
	fd   int
}

// Supervisor keeps descriptors as systemd does. Its methods may be called by
// several goroutines.
type Supervisor struct {
	socket string
	conn   *net.UnixConn
	done   chan struct{}

	mu      sync.Mutex
	observe func(Message)
	store   []kept
	fields  map[string]string
	changed chan struct{}
}

// New listens on socket, a path or an abstract address with a leading '@'.
func New(socket string) (*Supervisor, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen for notifications: %w", err)
	}
	s := &Supervisor{
		socket: socket, conn: conn, done: make(chan struct{}),
		fields: map[string]string{}, changed: make(chan struct{}),
	}
	go s.receive()
	return s, nil
}

// Close ends the supervisor and closes what it keeps. A path socket is removed.
func (s *Supervisor) Close() error {
	err := s.conn.Close()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.store {
		unix.Close(k.fd)
	}
	s.store = nil
	return err
}

// Names lists what is kept, in the order in which it came; a name stands there
// once for each of its descriptors.
func (s *Supervisor) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.store))
	for _, k := range s.store {
		names = append(names, k.name)
	}
	return names
}

// Field is the last value of an assignment such as STATUS or READY, "" if none.
func (s *Supervisor) Field(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fields[key]
}

// Observe has f called for each datagram from now on.
func (s *Supervisor) Observe(f func(Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe = f
}

// Wait returns when cond holds; it is asked again after each datagram.
func (s *Supervisor) Wait(ctx context.Context, cond func(*Supervisor) bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if cond(s) {
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
			return errors.New("the supervisor is closed")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receive owns the socket until Close.
func (s *Supervisor) receive() {
	defer close(s.done)
	data := make([]byte, 64<<10)
	oob := make([]byte, unix.CmsgSpace(4*253)) // SCM_MAX_FD
	for {
		n, oobn, _, _, err := s.conn.ReadMsgUnix(data, oob)
		if err != nil {
			return
		}
		s.handle(ParseMessage(data[:n]), parseRights(oob[:oobn]))
	}
}

func (s *Supervisor) handle(m Message, fds []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, value := range m.Fields {
		s.fields[key] = value
	}
	if s.observe != nil {
		s.observe(m)
	}
	if m.Remove {
		s.store = slices.DeleteFunc(s.store, func(k kept) bool {
			if k.name != m.Name {
				return false
			}
			unix.Close(k.fd)
			return true
		})
	}
	for _, fd := range fds {
		if m.Store {
			s.store = append(s.store, kept{m.Name, fd})
		} else {
			unix.Close(fd) // a BARRIER ends when the last holder closes
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// parseRights collects the descriptors of a datagram; the net package has set
// them close-on-exec.
func parseRights(oob []byte) []int {
	var fds []int
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range messages {
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}
