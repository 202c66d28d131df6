package folder

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"podd/internal/hostfile"
	"podd/internal/inotify"
)

// maxLinks is how many symbolic links the kernel follows in one path (man 7 path_resolution).
const maxLinks = 40

// linkDirs follows the symbolic links on the way to path and returns the folders that hold one of them, or the file
// at the end: in each a rename can change what path means. The folder of path itself is left out. A path without
// links has none.
func linkDirs(path string) []string {
	var dirs []string
	resolved, rest := "/", path
	if !filepath.IsAbs(path) {
		resolved = "."
	}
	for links := 0; rest != "" && links <= maxLinks; {
		var step string
		step, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if step == "" {
			break
		}
		at := filepath.Join(resolved, step)
		target, err := os.Readlink(at)
		if err != nil {
			if rest == "" && links > 0 {
				dirs = append(dirs, resolved)
			}
			resolved = at
			continue
		}
		links++
		dirs = append(dirs, resolved)
		if filepath.IsAbs(target) {
			resolved = "/"
		}
		rest = strings.Trim(target+"/"+rest, "/")
	}
	own := filepath.Dir(path)
	slices.Sort(dirs)
	return slices.DeleteFunc(slices.Compact(dirs), func(dir string) bool { return dir == own })
}

const (
	// dirEvents are what happens to files of the folder. Writing itself is not among them: a file is read when it
	// has been closed.
	dirEvents = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE |
		unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	// wayEvents are what happens to the folders above.
	wayEvents = dirEvents &^ unix.IN_CLOSE_WRITE
	// selfEvents tell that a watch has ended or is about another folder now.
	selfEvents = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_UNMOUNT | unix.IN_IGNORED
)

// Watch calls hint whenever a Scan may find something new, and once at the start: the folder has a file that is
// complete, or lost one, or has itself come or gone, also by mounting. It returns when ctx ends (nil), or with the
// error that keeps it from watching. It waits in the kernel only. Hints may come from several goroutines at a time, also from
// within a Scan: they must not wait.
func (f *Folder) Watch(ctx context.Context, hint func()) error {
	in, err := inotify.New()
	if err != nil {
		return fmt.Errorf("cannot watch manifest folder %s: %w", f.o.Dir, err)
	}
	defer in.Close()
	mounts, err := openMounts()
	if err != nil {
		return fmt.Errorf("cannot watch for mounts over manifest folder %s: %w", f.o.Dir, err)
	}
	defer mounts.close()
	w := &watcher{folder: f, in: in, dirs: map[int32]string{}, hint: hint}
	w.guard = &hostfile.Guard{Patience: f.guard.Patience, Most: 1, Returned: func(string) { w.arm(); hint() }}
	f.mu.Lock()
	f.watch = w
	w.extra = f.linkDirs()
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.watch = nil
		f.mu.Unlock()
	}()
	defer context.AfterFunc(ctx, func() { in.Close(); mounts.close() })()
	w.arm()
	hint()
	var wg sync.WaitGroup
	wg.Go(func() { mounts.each(w.mounted) })
	for err == nil {
		var batch []inotify.Event
		if batch, err = in.Read(); err == nil {
			w.events(batch)
		}
	}
	mounts.close()
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("cannot read events of manifest folder %s: %w", f.o.Dir, err)
}

// watcher keeps the watches of one Watch on the folders that they should be on.
type watcher struct {
	folder *Folder
	in     *inotify.Watcher
	hint   func()
	guard  *hostfile.Guard // of the folder itself, whose Scan tells that it does not answer

	mu    sync.Mutex
	dirs  map[int32]string // watched path of each watch descriptor
	extra []string         // folders that hold symbolic links of manifests
	own   dirID            // what the folder was when it was armed
}

// dirID identifies a folder, the zero value a missing one.
type dirID struct{ dev, ino uint64 }

func idOf(dir string) dirID {
	st, err := stat(dir)
	if err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return dirID{}
	}
	return dirID{st.Dev, st.Ino}
}

// follow watches the folders to which symbolic links lead.
func (w *watcher) follow(dirs []string) {
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	w.mu.Lock()
	same := slices.Equal(dirs, w.extra)
	w.extra = dirs
	w.mu.Unlock()
	if !same {
		w.arm()
		w.hint() // what has changed since the Scan read it was not seen by any watch
	}
}

// arm puts a watch on every folder that needs one and takes the others away. It is idempotent: the kernel gives the
// same descriptor for the same folder, and a new one for a folder that has been made anew. Where folders appear
// meanwhile, it looks again: a watch above the wrong one would never tell.
func (w *watcher) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		var hangs error
		w.own, hangs = w.identify()
		wanted, armed := w.wanted(hangs == nil), map[int32]string{}
		for _, p := range wanted {
			// One that is not there is no error: the watch above it tells when it comes.
			if wd, err := w.add(p); err == nil {
				armed[wd] = p.dir
			}
		}
		for wd := range w.dirs {
			if _, ok := armed[wd]; !ok {
				w.in.Remove(wd)
			}
		}
		w.dirs = armed
		own, err := w.identify()
		if hangs != nil || err != nil || own == w.own && slices.Equal(w.wanted(true), wanted) {
			return // a folder that does not answer yet calls again when it does
		}
	}
}

// add watches one spot.
func (w *watcher) add(p spot) (int32, error) {
	type answer struct {
		wd  int32
		err error
	}
	guard := w.guard
	if p.dir != w.folder.o.Dir {
		guard = w.folder.guard
	}
	a, err := hostfile.Do(guard, "watch "+p.dir, func() (a answer) {
		a.wd, a.err = w.in.Add(p.at, p.mask|unix.IN_ONLYDIR|unix.IN_EXCL_UNLINK)
		return a
	})
	return a.wd, cmp.Or(err, a.err)
}

// spot is a folder to watch for the sake of dir.
type spot struct {
	dir, at string
	mask    uint32
}

// identify tells which folder the manifests' is now, or that it does not answer.
func (w *watcher) identify() (dirID, error) {
	return hostfile.Do(w.guard, "folder", func() dirID { return idOf(w.folder.o.Dir) })
}

// wanted are the spots to watch as the folders are now, with the folder itself if own.
func (w *watcher) wanted(own bool) []spot {
	var spots []spot
	dir := w.folder.o.Dir
	for _, way := range append(linkDirs(dir), above(dir)) {
		spots = append(spots, spot{way, way, wayEvents})
	}
	for _, link := range w.extra {
		// A link may lead to where nothing is yet, and to what does not answer: when it does, there is another Scan.
		if at, err := hostfile.Do(w.folder.guard, "find "+link, func() string { return above(link + "/.") }); err == nil {
			spots = append(spots, spot{link, at, dirEvents})
		}
	}
	if own {
		spots = append(spots, spot{dir, dir, dirEvents})
	}
	return spots
}

// above returns the nearest existing folder above dir: the one in which dir, or a folder on its way, will appear.
func above(dir string) string {
	for {
		parent := filepath.Dir(dir) // of "x/." it is x
		if parent == dir || idOf(parent) != (dirID{}) {
			return parent
		}
		dir = parent
	}
}

// events decides about a batch of events: whether watches must move, and whether to hint.
func (w *watcher) events(batch []inotify.Event) {
	rearm, hint := false, false
	for _, e := range batch {
		w.mu.Lock()
		dir := w.dirs[e.Watch]
		w.mu.Unlock()
		switch own := w.folder.o.Dir; {
		case e.Mask&unix.IN_Q_OVERFLOW != 0:
			rearm, hint = true, true
		case e.Mask&selfEvents != 0:
			// The watch of a folder that was let go of says IN_IGNORED too; it is of no interest.
			rearm, hint = rearm || dir != "", hint || dir != ""
		case dir == own:
			hint = w.ownEvent(e) || hint
		case dir != "" && w.wayEvent(dir, e.Name):
			rearm, hint = true, true
		}
	}
	if rearm {
		w.arm()
	}
	if hint {
		w.hint()
	}
}

// ownEvent handles an event of the folder itself and tells whether it is worth a Scan.
func (w *watcher) ownEvent(e inotify.Event) bool {
	if strings.HasPrefix(e.Name, "..") {
		return true // ConfigMap-style ..data that files are linked through
	}
	if ignored(e.Name) {
		return false
	}
	if e.Mask&(unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO) != 0 {
		w.folder.mu.Lock()
		w.folder.closed[e.Name] = true
		w.folder.mu.Unlock()
	}
	if e.Mask&unix.IN_DELETE != 0 {
		w.folder.mu.Lock()
		if w.folder.files[e.Name] != nil {
			w.folder.deleted[e.Name] = true
		}
		w.folder.mu.Unlock()
	}
	// A new file will be closed by who writes it. A link is complete when it appears.
	if e.Mask&unix.IN_CREATE == 0 {
		return true
	}
	path := filepath.Join(w.folder.o.Dir, e.Name)
	whole, err := hostfile.Do(w.folder.guard, "complete "+path, func() bool { return complete(path) })
	return whole || err != nil
}

// wayEvent tells whether an event in a folder on the way may have changed what the manifests are.
func (w *watcher) wayEvent(dir, name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	own, err := w.identify()
	return slices.Contains(w.extra, dir) || err != nil || own != w.own ||
		strings.HasPrefix(w.folder.o.Dir+"/", filepath.Join(dir, name)+"/")
}

// mounted looks whether a mount has changed what the folder is.
func (w *watcher) mounted() {
	w.mu.Lock()
	now, err := w.identify()
	changed := now != w.own
	w.mu.Unlock()
	if err != nil {
		w.hint() // the Scan will be missed
	} else if changed {
		w.arm()
		w.hint()
	}
}

// complete tells whether a new directory entry needs no closing: a link, or a file that nobody has open for writing.
func complete(path string) bool {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return true
	}
	f, st, err := openRegular(path)
	if err != nil {
		return true
	}
	defer f.Close()
	return !beingWritten(f, st, func(st *syscall.Stat_t) bool { return st.Nlink > 1 })
}
