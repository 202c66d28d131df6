package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/inotify"
)

// watcher wakes a follower when a file of the folder changes.
type watcher struct {
	in   *inotify.Watcher
	done <-chan struct{}
	stop func() bool
	quit chan struct{}
}

// watch begins to watch dir. The watcher ends with ctx; after done it wakes at
// once, always.
func watch(ctx context.Context, dir string, done <-chan struct{}) (*watcher, error) {
	in, err := inotify.New()
	if err != nil {
		return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
	}
	// What the folder is now is watched, not what stands in its place a moment later.
	folder, err := openFolder(dir)
	if err == nil {
		err = addWatch(in, folder)
	}
	if err != nil {
		in.Close()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNoLog
		}
		return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
	}
	w := &watcher{in: in, done: done, quit: make(chan struct{})}
	w.stop = context.AfterFunc(ctx, func() { in.Close() })
	if done != nil {
		go w.expectEnd()
	}
	return w, nil
}

func addWatch(in *inotify.Watcher, folder *os.Root) error {
	defer folder.Close()
	f, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = in.AddFile(f, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_FROM|unix.IN_MOVED_TO|unix.IN_DELETE_SELF|unix.IN_ONLYDIR)
	return err
}

// expectEnd makes the reads of the watcher return from the end of the log on.
func (w *watcher) expectEnd() {
	select {
	case <-w.done:
		w.in.SetReadDeadline(time.Unix(1, 0))
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
	_, err := w.in.Read()
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

func (w *watcher) close() {
	w.stop()
	close(w.quit)
	w.in.Close()
}
