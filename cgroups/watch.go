package cgroups

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"podd/internal/inotify"
)

// removals are the cgroups whose children's removal is told of. The kernel tells of rmdir(2) in its cgroup file systems as in
// any other; at rest nothing wakes up for it.
type removals struct {
	watcher *inotify.Watcher
	mu      sync.Mutex
	on      map[int32]string // watch → cgroup path
}

// OnRemoval calls hint with the path of a cgroup that WatchPod was called for when one below it has been removed, by
// whomever. It is to be called once.
func (t *Tree) OnRemoval(hint func(cgroup string)) error {
	watcher, err := inotify.New()
	if err != nil {
		return fmt.Errorf("cannot watch cgroups: %w", err)
	}
	w := &removals{watcher: watcher, on: map[int32]string{}}
	t.mu.Lock()
	t.removals = w
	t.mu.Unlock()
	go func() {
		for {
			events, err := watcher.Read()
			if err != nil {
				return
			}
			for _, cgroup := range w.about(events) {
				hint(cgroup)
			}
		}
	}()
	return nil
}

// WatchPod watches a pod's cgroup in every hierarchy in which it is.
func (t *Tree) WatchPod(cgroup string) error {
	t.mu.Lock()
	w := t.removals
	t.mu.Unlock()
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, dir := range t.dirs(cgroup) {
		watch, err := w.watcher.Add(dir, unix.IN_DELETE|unix.IN_ONLYDIR)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot watch cgroup %s: %w", cgroup, err)
		}
		w.on[watch] = cgroup
	}
	return nil
}

// about names the cgroups that events are about, each once.
func (w *removals) about(events []inotify.Event) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{}
	var list []string
	tell := func(cgroup string) {
		if cgroup != "" && !seen[cgroup] {
			seen[cgroup] = true
			list = append(list, cgroup)
		}
	}
	for _, e := range events {
		switch {
		case e.Mask&unix.IN_Q_OVERFLOW != 0: // it may have been any of them
			for _, cgroup := range w.on {
				tell(cgroup)
			}
		case e.Mask&unix.IN_IGNORED != 0: // it is gone itself
			delete(w.on, e.Watch)
		default:
			tell(w.on[e.Watch])
		}
	}
	return list
}
