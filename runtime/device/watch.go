package device

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"podd/internal/inotify"
)

// Watcher says when devices may have come, gone, or been given to others: the kernel makes and removes their nodes, and udev
// makes links, owners and modes, all in folders. At rest it costs a descriptor. The zero Watcher watches nothing.
type Watcher struct {
	Changed func() // called by a goroutine of the watcher's; it must not wait

	mu    sync.Mutex
	in    *inotify.Watcher
	roots map[string]bool
}

const watched = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_ONLYDIR

// Watch watches the folders that say what becomes of a path: all of /dev for one within, and for any other the folder that it
// is in, and that of the device, if it is a link.
func (w *Watcher) Watch(name string) error {
	roots := []string{filepath.Dir(name)}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		roots = append(roots, filepath.Dir(real))
	}
	for i := range roots {
		if roots[i] == Dir || Within(roots[i]) {
			roots[i] = Dir
		}
	}
	return w.watchFolders(roots...)
}

// watchFolders watches folders; /dev with those in it.
func (w *Watcher) watchFolders(dirs ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, dir := range dirs {
		if w.roots[dir] {
			continue
		}
		if err := w.open(); err != nil {
			return err
		}
		if err := w.add(dir); err != nil {
			return err
		}
		w.roots[dir] = true
	}
	return nil
}

func (w *Watcher) open() error {
	if w.in != nil {
		return nil
	}
	in, err := inotify.New()
	if err != nil {
		return fmt.Errorf("cannot watch devices: %w", err)
	}
	w.in, w.roots = in, map[string]bool{}
	go w.read()
	return nil
}

// add watches a folder, and if it is /dev those in it that are on its file system.
func (w *Watcher) add(dir string) error {
	if _, err := w.in.Add(dir, watched); err != nil {
		return fmt.Errorf("cannot watch devices: %w", err)
	}
	if dir != Dir {
		return nil
	}
	var top unix.Stat_t
	if err := unix.Stat(dir, &top); err != nil {
		return fmt.Errorf("cannot watch devices: %w", err)
	}
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil || !d.IsDir() || name == dir {
			return nil
		}
		if unix.Lstat(name, &st) != nil || st.Dev != top.Dev {
			return fs.SkipDir
		}
		if _, err := w.in.Add(name, watched); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot watch devices: %w", err)
		}
		return nil
	})
}

func (w *Watcher) read() {
	for {
		if _, err := w.in.Read(); err != nil {
			return
		}
		w.mu.Lock()
		for dir := range w.roots { // there may be folders that are new
			if w.add(dir) != nil {
				delete(w.roots, dir) // it is gone; whoever needs it asks again
			}
		}
		w.mu.Unlock()
		w.Changed()
	}
}

// Close ends all watches.
func (w *Watcher) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.in == nil {
		return nil
	}
	return w.in.Close()
}
