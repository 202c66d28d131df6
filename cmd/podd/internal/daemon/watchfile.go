package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"podd/internal/inotify"
)

// watchFile calls hint when a file may say something else: it was written, replaced, or a link on the way to it
// was. The folders that hold its names are watched, and events of other names in them are no hints. It returns
// when ctx ends.
func watchFile(ctx context.Context, path func() string, hint func()) error {
	w, err := inotify.New()
	if err != nil {
		return fmt.Errorf("cannot watch %s: %w", path(), err)
	}
	defer func() { _ = w.Close() }() // only read
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	for {
		way := wayTo(path())
		if err := addWatches(w, way); err != nil {
			return err
		}
		if now := wayTo(path()); !maps.EqualFunc(now, way, slices.Equal) {
			hint() // a folder or a link came before the watch
			continue
		}
		events, err := w.Read()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot watch %s: %w", path(), err)
		}
		if concerns(events, way) {
			hint()
		}
	}
}

// wayTo maps the folders on the way to a file to the names in them that matter. A folder that is not there is
// seen to appear in the one above it.
func wayTo(path string) map[string][]string {
	way := map[string][]string{}
	for range 8 { // links
		dir := filepath.Dir(path)
		for {
			way[dir] = append(way[dir], filepath.Base(path))
			if _, err := os.Stat(dir); err == nil || dir == "/" {
				break
			}
			path, dir = dir, filepath.Dir(dir)
		}
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	return way
}

// addWatches is idempotent: the kernel keeps one watch for a folder.
func addWatches(w *inotify.Watcher, way map[string][]string) error {
	const mask = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
	var errs []error
	for dir := range way {
		if _, err := w.Add(dir, mask); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("cannot watch %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// concerns says whether events are about one of the names.
func concerns(events []inotify.Event, way map[string][]string) bool {
	for _, e := range events {
		if e.Mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED) != 0 {
			return true
		}
		for _, names := range way {
			if slices.Contains(names, e.Name) {
				return true
			}
		}
	}
	return false
}

// fileChange tells whether a file is another one than when it was looked at before. One goroutine uses it.
type fileChange struct {
	path string // "": there is no file, and nothing changes
	was  fs.FileInfo
}

// seen says whether the file has changed since the call before; the first call has nothing to compare with, and says yes.
func (f *fileChange) seen() bool {
	if f.path == "" {
		return false
	}
	now, err := os.Stat(f.path)
	if err != nil {
		changed := f.was != nil
		f.was = nil
		return changed
	}
	was := f.was
	f.was = now
	return was == nil || !os.SameFile(was, now) || was.Size() != now.Size() || !was.ModTime().Equal(now.ModTime())
}
