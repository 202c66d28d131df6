package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"podd/internal/inotify"
)

// Watch calls hint when a process changes the store or when records or layers go, until ctx ends or a folder of the store
// goes. Recheck then tells what changed. The folders are made if need be.
func (s *Store) Watch(ctx context.Context, hint func()) error {
	const lost = unix.IN_DELETE | unix.IN_MOVED_FROM
	err := s.records().ensureFolders()
	if err == nil {
		err = s.changing(s.records().ensureGeneration)
	}
	if err == nil {
		err = watchAll(ctx, map[string]uint32{
			s.dir("generation"): unix.IN_MODIFY | unix.IN_CLOSE_WRITE,
			s.dir("i"):          lost | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ONLYDIR,
			s.dir("l"):          lost | unix.IN_ONLYDIR,
		}, hint, hint)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went between being made and being watched: the same as later
	}
	return err
}

// WatchFolder calls hint whenever an archive may have come, changed or gone in dir, and once when dir itself appears,
// until ctx ends; then it returns nil. dir need not exist. Between events it costs nothing: no thread, no timer.
func WatchFolder(ctx context.Context, dir string, hint func()) error {
	const content = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CREATE
	for ctx.Err() == nil {
		err := watch(ctx, dir, content|unix.IN_ONLYDIR, hint, hint)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			err = awaitFolder(ctx, dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitFolder returns when something changed on the way to dir.
func awaitFolder(ctx context.Context, dir string) error {
	next, parent := dir, filepath.Dir(dir)
	for {
		if _, err := os.Stat(parent); err == nil || parent == filepath.Dir(parent) {
			break
		}
		next, parent = parent, filepath.Dir(parent)
	}
	ctx, changed := context.WithCancel(ctx)
	defer changed()
	appeared := func() { // between the look and the watch, be it only the next folder on the way
		if _, err := os.Stat(next); err == nil {
			changed()
		}
	}
	err := watch(ctx, parent, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB|unix.IN_ONLYDIR, appeared, changed)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went meanwhile: look again from further up
	}
	return err
}

// watch is watchAll for one path.
func watch(ctx context.Context, path string, mask uint32, ready, hint func()) error {
	return watchAll(ctx, map[string]uint32{path: mask}, ready, hint)
}

// watchAll calls ready once the watch stands and hint for each batch of events, until ctx ends or one of the paths, which
// come with what is to be told of them, is gone.
func watchAll(ctx context.Context, paths map[string]uint32, ready, hint func()) error {
	w, err := inotify.New()
	if err != nil {
		return fmt.Errorf("cannot watch: %w", err)
	}
	defer func() { _ = w.Close() }() // only read
	const gone = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	for path, mask := range paths {
		if _, err := w.Add(path, mask|gone); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	ready()
	for {
		events, err := w.Read()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot watch: %w", err)
		}
		hint()
		if slices.ContainsFunc(events, func(e inotify.Event) bool { return e.Mask&(gone|unix.IN_IGNORED|unix.IN_UNMOUNT) != 0 }) {
			return nil
		}
	}
}
