package userns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// lastFile remembers the range leased last, across restarts.
const lastFile = "last"

// Leases hand out ranges. A lease is a symbolic link named after the range that points to its holder: making
// one is a single system call that fails when the name exists and leaves nothing half-made in a crash.
//
// Ranges are given round robin, so that the ids of a pod that has gone rest as long as possible: a file that it left on a
// hostPath belongs to nobody meanwhile.
type Leases struct {
	dir  string
	span Span

	mu     sync.Mutex
	loaded bool
	byID   map[string]Range
	// taken are those of byID, and those that others have put into the folder.
	taken map[Range]bool
	last  Range
}

// NewLeases hands out ranges of the span, which Check has accepted, and keeps them in dir, which is made when it is first
// needed.
func NewLeases(dir string, span Span) *Leases { return &Leases{dir: dir, span: span} }

// Acquire returns the range of id, a new one if it has none. A range that it has had since before the configuration
// changed stays its own: its processes and files have it.
func (l *Leases) Acquire(id string) (Range, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return Range{}, err
	}
	if r, ok := l.byID[id]; ok {
		return r, nil
	}
	r := l.last
	for range l.ranges() {
		r = l.next(r)
		if got, err := l.take(id, r); got || err != nil {
			return r, err
		}
	}
	return Range{}, fmt.Errorf("%w: %d have some, from %d on; raise userNamespaces.size in the configuration", ErrExhausted, l.ranges(), l.span.Base)
}

func (l *Leases) ranges() uint64 { return l.span.Size / l.span.PerPod }

// next goes round.
func (l *Leases) next(r Range) Range {
	index := uint64(0)
	if first := uint64(r.First); first >= l.span.Base {
		index = (first-l.span.Base)/l.span.PerPod + 1
	}
	if index >= l.ranges() {
		index = 0
	}
	return Range{uint32(l.span.Base + index*l.span.PerPod), uint32(l.span.PerPod)}
}

// take makes the lease; false if the range belongs to somebody.
func (l *Leases) take(id string, r Range) (bool, error) {
	for other := range l.taken {
		if r.overlaps(other) {
			return false, nil
		}
	}
	err := errors.Join(os.MkdirAll(l.dir, 0o700), os.Symlink(id, l.file(r)))
	if errors.Is(err, os.ErrExist) {
		l.taken[r] = true
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot note whose ids a range is: %w", err)
	}
	l.taken[r], l.byID[id], l.last = true, r, r
	return true, l.remember(r)
}

// remember replaces the note of the last range, again by one link.
func (l *Leases) remember(r Range) error {
	path := filepath.Join(l.dir, lastFile)
	temp := path + ".tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot note the last range of ids: %w", err)
	}
	if err := errors.Join(os.Symlink(r.String(), temp), os.Rename(temp, path)); err != nil {
		return fmt.Errorf("cannot note the last range of ids: %w", err)
	}
	return nil
}

// Lookup returns the range that id has.
func (l *Leases) Lookup(id string) (Range, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.load() != nil {
		return Range{}, false
	}
	r, ok := l.byID[id]
	return r, ok
}

// Release gives the range of id back. None is success.
func (l *Leases) Release(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return err
	}
	r, ok := l.byID[id]
	if !ok {
		return nil
	}
	if err := os.Remove(l.file(r)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot give a range of ids back: %w", err)
	}
	delete(l.byID, id)
	delete(l.taken, r)
	return nil
}

// Collect gives back the ranges of all that are not in keep.
func (l *Leases) Collect(keep map[string]bool) error {
	l.mu.Lock()
	err := l.load()
	var stale []string
	for id := range l.byID {
		if !keep[id] {
			stale = append(stale, id)
		}
	}
	l.mu.Unlock()
	errs := []error{err}
	for _, id := range stale {
		errs = append(errs, l.Release(id))
	}
	return errors.Join(errs...)
}

// load reads the folder once.
func (l *Leases) load() error {
	if l.loaded {
		return nil
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot read whose ids the ranges are: %w", err)
	}
	l.byID, l.taken = map[string]Range{}, map[Range]bool{}
	for _, e := range entries {
		target, err := os.Readlink(l.path(e.Name()))
		if e.Name() == lastFile {
			l.last, _ = parseRange(target)
		} else if r, ok := parseRange(e.Name()); ok {
			l.taken[r] = true
			if err == nil {
				l.byID[target] = r
			}
		}
	}
	l.loaded = true
	return nil
}

func (l *Leases) file(r Range) string     { return l.path(r.String()) }
func (l *Leases) path(name string) string { return filepath.Join(l.dir, name) }
