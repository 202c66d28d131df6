// Package lease hands out things of a finite set, each to one holder: addresses, ranges of ids.
package lease

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

var (
	// ErrExhausted says that everything is leased.
	ErrExhausted = errors.New("all are leased")
	// ErrTaken says that another holder has what was asked for.
	ErrTaken = errors.New("it is leased to another")
	// ErrNobody says that no holder was named.
	ErrNobody = errors.New("no holder is named")
)

// Set is what can be leased.
type Set[T comparable] struct {
	// Format names a value, as a file may be named; Parse reads the name.
	Format func(T) string
	Parse  func(name string) (T, bool)
	// Next gives the value after one, round and round over Size of them. After the zero value, and any that is not of the
	// set, comes the first.
	Next func(T) T
	Size uint64
	// Overlap says that two values cannot both be leased; nil: if they are equal.
	Overlap func(a, b T) bool
	// Keep says whether a value that was leased before stays its holder's; nil: always. The set may have been another.
	Keep func(T) bool
}

// lastFile remembers what was leased last, across restarts.
const lastFile = "last"

// Leases are kept in a folder. A lease is a symbolic link named after the value that points to its holder: making one is
// a single system call that fails when the name exists (as O_EXCL does) and leaves nothing half-made in a crash. "ls -l"
// shows who has what. What stands in the folder and is no link is no lease, and is set aside.
//
// Values are given round robin, so that one that was just returned rests as long as possible: its last peers have
// forgotten it by then, and nobody owns meanwhile the files that it was the owner of.
type Leases[T comparable] struct {
	dir    string
	set    Set[T]
	report atomicfile.Report

	mu     sync.Mutex
	loaded bool
	byID   map[string]T
	taken  map[T]string // the holders
	last   T
}

// New keeps leases in dir, which is made when the first is.
func New[T comparable](dir string, set Set[T], report atomicfile.Report) *Leases[T] {
	if set.Overlap == nil {
		set.Overlap = func(a, b T) bool { return a == b }
	}
	if set.Keep == nil {
		set.Keep = func(T) bool { return true }
	}
	return &Leases[T]{dir: dir, set: set, report: report}
}

// Acquire returns what id has, or leases it something: ErrExhausted if all is leased.
func (l *Leases[T]) Acquire(id string) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var none T
	if err := l.load(); err != nil {
		return none, err
	}
	if id == "" {
		return none, ErrNobody
	}
	if have, ok := l.byID[id]; ok && l.set.Keep(have) {
		return have, nil
	} else if ok {
		if err := l.drop(id, have); err != nil {
			return none, err
		}
	}
	value := l.last
	for range l.set.Size {
		value = l.set.Next(value)
		if l.holderOf(value) != "" {
			continue
		}
		err := l.make(id, value)
		if errors.Is(err, ErrTaken) {
			continue
		}
		if err == nil {
			l.last = value
			err = l.remember(value)
		}
		return value, err
	}
	return none, ErrExhausted
}

// Claim leases id a value that it is known to have, in the place of any other: a lease that was lost is made again.
// ErrTaken: another holder has it.
func (l *Leases[T]) Claim(id string, value T) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return err
	}
	if id == "" {
		return ErrNobody
	}
	have, ok := l.byID[id]
	if ok && have == value {
		return nil
	}
	if holder := l.holderOf(value); holder != "" && holder != id {
		return fmt.Errorf("%w: %s has %s", ErrTaken, holder, l.set.Format(value))
	}
	if ok {
		if err := l.drop(id, have); err != nil {
			return err
		}
	}
	return l.make(id, value)
}

// holderOf names who has a value, or one that overlaps it; "": nobody.
func (l *Leases[T]) holderOf(value T) string {
	if holder, ok := l.taken[value]; ok {
		return holder
	}
	for other, holder := range l.taken {
		if l.set.Overlap(value, other) {
			return holder
		}
	}
	return ""
}

// make makes the link. A name that has come into the folder since it was read is another process's: ErrTaken.
func (l *Leases[T]) make(id string, value T) error {
	if err := l.ensureDir(); err != nil {
		return err
	}
	path := l.path(l.set.Format(value))
	err := os.Symlink(id, path)
	if errors.Is(err, os.ErrExist) {
		holder, readErr := os.Readlink(path)
		if readErr == nil && holder != "" {
			l.taken[value] = holder
			return fmt.Errorf("%w: %s has %s", ErrTaken, holder, l.set.Format(value))
		}
		l.report.Of(atomicfile.SetAside(path, atomicfile.ErrNotRegular), "it was no lease")
		err = os.Symlink(id, path)
	}
	if err != nil {
		return fmt.Errorf("cannot make a lease: %w", err)
	}
	l.taken[value], l.byID[id] = id, value
	return nil
}

// remember replaces the note of what was leased last, again by one link.
func (l *Leases[T]) remember(value T) error {
	path := l.path(lastFile)
	temp := path + ".tmp"
	err := os.RemoveAll(temp)
	if err == nil {
		err = os.Symlink(l.set.Format(value), temp)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return fmt.Errorf("cannot note the last lease: %w", err)
	}
	return nil
}

// Lookup returns what id has.
func (l *Leases[T]) Lookup(id string) (T, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var none T
	if l.load() != nil {
		return none, false
	}
	value, ok := l.byID[id]
	return value, ok
}

// Holder names who has a value; "": nobody.
func (l *Leases[T]) Holder(value T) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.load() != nil {
		return ""
	}
	return l.taken[value]
}

// Release gives back what id has. Nothing is success.
func (l *Leases[T]) Release(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return err
	}
	if value, ok := l.byID[id]; ok {
		return l.drop(id, value)
	}
	return nil
}

func (l *Leases[T]) drop(id string, value T) error {
	if err := os.Remove(l.path(l.set.Format(value))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove a lease: %w", err)
	}
	delete(l.byID, id)
	delete(l.taken, value)
	return nil
}

// Holders are sorted.
func (l *Leases[T]) Holders() ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(l.byID))
	for id := range l.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// Collect gives back what all have that are not in keep.
func (l *Leases[T]) Collect(keep map[string]bool) error {
	holders, err := l.Holders()
	errs := []error{err}
	for _, id := range holders {
		if !keep[id] {
			errs = append(errs, l.Release(id))
		}
	}
	return errors.Join(errs...)
}

const lostLeases = "the leases in it are made again from what runs"

func (l *Leases[T]) ensureDir() error {
	if err := atomicfile.EnsureDir(l.dir, 0o700, l.report, lostLeases); err != nil {
		return fmt.Errorf("cannot make the folder of leases: %w", err)
	}
	return nil
}

func (l *Leases[T]) path(name string) string { return filepath.Join(l.dir, name) }

// load reads the folder once. Leases of another set (the configuration has changed) are kept as they are: their holders
// may still run, and they go with them.
func (l *Leases[T]) load() error {
	if l.loaded {
		return nil
	}
	if err := atomicfile.DropLink(l.dir, l.report, lostLeases); err != nil {
		return fmt.Errorf("cannot take the leases from where a link leads: %w", err)
	}
	entries, err := os.ReadDir(l.dir)
	if errors.Is(err, unix.ENOTDIR) {
		err = l.ensureDir()
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot read the leases: %w", err)
	}
	l.byID, l.taken = make(map[string]T, len(entries)), make(map[T]string, len(entries))
	for _, e := range entries {
		l.loadOne(e.Name())
	}
	l.loaded = true
	return nil
}

func (l *Leases[T]) loadOne(name string) {
	value, ok := l.set.Parse(name)
	if !ok && name != lastFile {
		return
	}
	target, err := os.Readlink(l.path(name))
	if name == lastFile && err == nil {
		if value, ok = l.set.Parse(target); ok {
			l.last = value
			return
		}
		err = errors.New("it names nothing that can be leased")
	}
	if err == nil && strings.Contains(target, "/") {
		err = errors.New("it names no holder")
	}
	if before, twice := l.byID[target]; err == nil && twice {
		err = fmt.Errorf("%s has %s already", target, l.set.Format(before))
	}
	if err != nil {
		l.report.Of(atomicfile.SetAside(l.path(name), err), "it was no lease")
		return
	}
	l.taken[value], l.byID[target] = target, value
}
