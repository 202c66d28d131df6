// Package inotify watches files and folders (man 7 inotify). Go's poller waits for events: a watcher at rest costs a
// descriptor, and neither a thread nor a timer.
package inotify

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Watcher has any number of watches. All its methods may be called at any time by any goroutine, but Read by one only.
type Watcher struct {
	f      *os.File
	buf    [4096]byte
	events []Event
}

// Event is what has happened to what a watch is on, or to Name in it. With unix.IN_Q_OVERFLOW, Watch is -1 and events were lost.
type Event struct {
	Watch int32
	Mask  uint32
	Name  string // "": the watched file or folder itself
}

// New makes a watcher without watches.
func New() (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	return &Watcher{f: os.NewFile(uintptr(fd), "inotify")}, nil
}

// Add watches path for the events of mask (unix.IN_…) and returns the descriptor of the watch. A file or folder has one watch
// at most: a second Add changes its mask and returns the same descriptor.
func (w *Watcher) Add(path string, mask uint32) (watch int32, err error) {
	err = w.control(func(fd int) error {
		n, err := unix.InotifyAddWatch(fd, path, mask)
		watch = int32(n)
		return err
	})
	if err != nil {
		return 0, &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
	}
	return watch, nil
}

// AddFile watches what an open file or folder is, whatever has its name meanwhile.
func (w *Watcher) AddFile(f *os.File, mask uint32) (watch int32, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := conn.Control(func(fd uintptr) { watch, err = w.Add(fmt.Sprintf("/proc/self/fd/%d", fd), mask) })
	if controlErr != nil {
		return 0, controlErr
	}
	return watch, err
}

// Remove ends a watch, which may have ended by itself.
func (w *Watcher) Remove(watch int32) {
	_ = w.control(func(fd int) error {
		_, err := unix.InotifyRmWatch(fd, uint32(watch))
		return err
	})
}

func (w *Watcher) control(do func(fd int) error) error {
	conn, err := w.f.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	if err := conn.Control(func(fd uintptr) { doErr = do(int(fd)) }); err != nil {
		return err
	}
	return doErr
}

// Read waits for events and returns them; they are valid until the next Read. It ends with os.ErrClosed after Close, and with
// os.ErrDeadlineExceeded after the deadline.
func (w *Watcher) Read() ([]Event, error) {
	n, err := w.f.Read(w.buf[:])
	if err != nil {
		return nil, err
	}
	w.events = parse(w.buf[:n], w.events[:0])
	return w.events, nil
}

// SetReadDeadline ends the waiting of Read at a time.
func (w *Watcher) SetReadDeadline(t time.Time) error { return w.f.SetReadDeadline(t) }

// Close ends all watches.
func (w *Watcher) Close() error { return w.f.Close() }

// parse takes a buffer of struct inotify_event apart: wd, mask, cookie, len, and a name padded with zeros.
func parse(buf []byte, into []Event) []Event {
	for len(buf) >= unix.SizeofInotifyEvent {
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
		if end > len(buf) {
			break
		}
		into = append(into, Event{
			Watch: int32(binary.NativeEndian.Uint32(buf)),
			Mask:  binary.NativeEndian.Uint32(buf[4:]),
			Name:  unix.ByteSliceToString(buf[unix.SizeofInotifyEvent:end]),
		})
		buf = buf[end:]
	}
	return into
}
