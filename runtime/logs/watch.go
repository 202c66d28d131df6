package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watcher wakes a follower when a file of the folder changes. It waits in the
// runtime's poller: no thread and no timer.
type watcher struct {
	f    *os.File
	done <-chan struct{}
	stop func() bool
	quit chan struct{}
	buf  [1024]byte
}

// watch begins to watch dir. The watcher ends with ctx; after done it wakes at
// once, always.
func watch(ctx context.Context, dir string, done <-chan struct{}) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot open inotify: %w", err)
	}
	// What the folder is now is watched, not what stands in its place a moment later.
	folder, err := openFolder(dir)
	if err == nil {
		err = addWatch(fd, folder)
	}
	if err != nil {
		unix.Close(fd)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNoLog
		}
		return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
	}
	w := &watcher{f: os.NewFile(uintptr(fd), "inotify"), done: done, quit: make(chan struct{})}
	w.stop = context.AfterFunc(ctx, func() { w.f.Close() })
	if done != nil {
		go w.expectEnd()
	}
	return w, nil
}

func addWatch(fd int, folder *os.Root) error {
	defer folder.Close()
	f, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	const mask = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	_, err = unix.InotifyAddWatch(fd, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), mask)
	return err
}

// expectEnd makes the reads of the watcher return from the end of the log on.
func (w *watcher) expectEnd() {
	select {
	case <-w.done:
		w.f.SetReadDeadline(time.Unix(1, 0))
	case <-w.quit:
	}
}

// ended says whether nothing more will be written.
func (w *watcher) ended() bool {
	if w == nil || w.done == nil {
		return false
	}
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// wait returns true when there may be something new, false when the context is
// over.
func (w *watcher) wait() bool {
	_, err := w.f.Read(w.buf[:])
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

func (w *watcher) close() {
	w.stop()
	close(w.quit)
	w.f.Close()
}
