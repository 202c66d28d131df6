package cdi

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"podd/internal/inotify"
)

// Watcher says when specs may have changed: in folders that are there, and in those that are made later, which are awaited in
// the nearest folder above. At rest it costs a descriptor. The zero Watcher watches nothing.
type Watcher struct {
	in      *inotify.Watcher
	dirs    []string
	folders map[int32]bool     // the watches of folders of specs
	above   map[int32][]string // those of folders above, with the names that are awaited there
}

const (
	inFolder = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_MOVE_SELF
	inAbove  = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVE_SELF
)

// Start watches folders. changed is called by a goroutine of the watcher's; it must not wait.
func (w *Watcher) Start(dirs []string, changed func()) error {
	if len(dirs) == 0 {
		return nil
	}
	in, err := inotify.New()
	if err != nil {
		return fmt.Errorf("cannot watch CDI specs: %w", err)
	}
	w.in, w.dirs = in, dirs
	err = w.watch()
	go func() {
		for {
			events, err := w.in.Read()
			if err != nil {
				return
			}
			if slices.ContainsFunc(events, w.matters) {
				_ = w.watch() // a folder that cannot be watched now is tried again with the next event
				changed()
			}
		}
	}()
	return err
}

// matters says of an event that specs may be others: much else happens in /etc and /run.
func (w *Watcher) matters(e inotify.Event) bool {
	const lost = unix.IN_Q_OVERFLOW | unix.IN_IGNORED | unix.IN_MOVE_SELF
	names, above := w.above[e.Watch]
	return e.Mask&unix.IN_Q_OVERFLOW != 0 || w.folders[e.Watch] || above && (e.Mask&lost != 0 || slices.Contains(names, e.Name))
}

// watch looks which folders are there, and watches those, or what is above them.
func (w *Watcher) watch() error {
	before, awaited := w.folders, w.above
	w.folders, w.above = map[int32]bool{}, map[int32][]string{}
	var errs []error
	for _, dir := range w.dirs {
		errs = append(errs, w.add(filepath.Clean(dir)))
	}
	needed := func(watch int32) bool { return w.folders[watch] || w.above[watch] != nil }
	for watch := range before {
		if !needed(watch) {
			w.in.Remove(watch)
		}
	}
	for watch := range awaited {
		if !needed(watch) {
			w.in.Remove(watch)
		}
	}
	return errors.Join(errs...)
}

func (w *Watcher) add(dir string) error {
	watch, err := w.in.Add(dir, inFolder|unix.IN_ONLYDIR|unix.IN_MASK_ADD)
	if err == nil {
		w.folders[watch] = true
		return nil
	}
	for at := dir; errors.Is(err, fs.ErrNotExist) && at != "/"; at = filepath.Dir(at) {
		watch, err = w.in.Add(filepath.Dir(at), inAbove|unix.IN_ONLYDIR|unix.IN_MASK_ADD)
		if err != nil {
			continue
		}
		w.above[watch] = append(w.above[watch], filepath.Base(at))
		// It may have been made before it was awaited.
		if _, there := w.in.Add(at, inAbove|unix.IN_ONLYDIR|unix.IN_MASK_ADD); there == nil {
			return w.add(dir)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot watch CDI specs: %w", err)
	}
	return nil
}

// Close ends all watches.
func (w *Watcher) Close() error {
	if w.in == nil {
		return nil
	}
	return w.in.Close()
}
