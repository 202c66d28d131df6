package manifest

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// inotify is a file descriptor of events (man 7 inotify) that the Go runtime polls: waiting takes no thread.
type inotify struct{ f *os.File }

type event struct {
	wd   int32
	mask uint32
	name string
}

func newInotify() (*inotify, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	return &inotify{f: os.NewFile(uintptr(fd), "inotify")}, nil
}

func (in *inotify) close() { in.f.Close() }

// add watches a folder and returns the descriptor of the watch.
func (in *inotify) add(dir string, mask uint32) (wd int32, err error) {
	err = in.control(func(fd int) error {
		n, err := unix.InotifyAddWatch(fd, dir, mask|unix.IN_ONLYDIR|unix.IN_EXCL_UNLINK)
		wd = int32(n)
		return err
	})
	return wd, err
}

// remove ends a watch, which may have ended by itself.
func (in *inotify) remove(wd int32) {
	_ = in.control(func(fd int) error {
		_, err := unix.InotifyRmWatch(fd, uint32(wd))
		return err
	})
}

func (in *inotify) control(do func(fd int) error) error {
	conn, err := in.f.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	if err := conn.Control(func(fd uintptr) { doErr = do(int(fd)) }); err != nil {
		return err
	}
	return doErr
}

// each calls do with every batch of events until reading fails, which closing makes it do.
func (in *inotify) each(do func([]event)) error {
	buf := make([]byte, 4096)
	var batch []event
	for {
		n, err := in.f.Read(buf)
		if err != nil {
			return err
		}
		batch = parseEvents(buf[:n], batch[:0])
		do(batch)
	}
}

// parseEvents takes a buffer of struct inotify_event apart: wd, mask, cookie, len, and a name padded with zeros.
func parseEvents(buf []byte, into []event) []event {
	for len(buf) >= unix.SizeofInotifyEvent {
		e := event{
			wd:   int32(binary.NativeEndian.Uint32(buf)),
			mask: binary.NativeEndian.Uint32(buf[4:]),
		}
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
		if end > len(buf) {
			break
		}
		e.name = unix.ByteSliceToString(buf[unix.SizeofInotifyEvent:end])
		into = append(into, e)
		buf = buf[end:]
	}
	return into
}
