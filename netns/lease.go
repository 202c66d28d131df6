package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
)

// lastFile remembers the address leased last, across restarts.
const lastFile = "last"

// leases hands out the addresses of one network. A lease is a symbolic link named after the
// address that points to the id of its holder: making one is a single system call that fails
// when the name exists (as O_EXCL does) and leaves no half-written file in a crash. "ls -l" shows
// who has what.
//
// Addresses are given round robin, so that one just returned rests as long as possible: its
// last peers have forgotten it by then.
type leases struct {
	dir  string
	cidr netip.Prefix

	mu     sync.Mutex
	loaded bool
	byID   map[string]netip.Addr
	taken  map[netip.Addr]bool
	last   netip.Addr
}

func newLeases(dir string, cidr netip.Prefix) *leases { return &leases{dir: dir, cidr: cidr} }

// acquire returns the address of id, a new one if it has none.
func (l *leases) acquire(id string) (netip.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return netip.Addr{}, err
	}
	if a, ok := l.byID[id]; ok && l.cidr.Contains(a) {
		return a, nil
	} else if ok { // the pod network has changed since
		if err := l.drop(id, a); err != nil {
			return netip.Addr{}, err
		}
	}
	if id == "" {
		return netip.Addr{}, fmt.Errorf("cannot lease an address to nobody: %w", os.ErrInvalid)
	}
	a := l.last
	for range hostCount(l.cidr) {
		a = nextHost(l.cidr, a)
		if got, err := l.take(id, a); got || err != nil {
			return a, err
		}
	}
	return netip.Addr{}, fmt.Errorf("cannot lease an address of %s: %w", l.cidr, ErrExhausted)
}

// take makes the lease file; false if the address belongs to somebody.
func (l *leases) take(id string, a netip.Addr) (bool, error) {
	if l.taken[a] {
		return false, nil
	}
	err := os.Symlink(id, l.file(a))
	if errors.Is(err, os.ErrExist) {
		l.taken[a] = true // made by another process, or not a lease at all
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot make lease: %w", err)
	}
	l.taken[a], l.byID[id], l.last = true, a, a
	return true, l.remember(a)
}

// remember replaces the note of the last address, again by one link.
func (l *leases) remember(a netip.Addr) error {
	path := filepath.Join(l.dir, lastFile)
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot note the last address: %w", err)
	}
	if err := os.Symlink(a.String(), tmp); err != nil {
		return fmt.Errorf("cannot note the last address: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("cannot note the last address: %w", err)
	}
	return nil
}

// lookup returns the address that id holds.
func (l *leases) lookup(id string) (netip.Addr, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.load() != nil {
		return netip.Addr{}, false
	}
	a, ok := l.byID[id]
	return a, ok
}

// release gives the address of id back.
func (l *leases) release(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return err
	}
	if a, ok := l.byID[id]; ok {
		return l.drop(id, a)
	}
	return nil
}

func (l *leases) drop(id string, a netip.Addr) error {
	if err := os.Remove(l.file(a)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot drop lease: %w", err)
	}
	delete(l.byID, id)
	delete(l.taken, a)
	return nil
}

// holders are the ids that have an address.
func (l *leases) holders() ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.load(); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(l.byID))
	for id := range l.byID {
		ids = append(ids, id)
	}
	return ids, nil
}

func (l *leases) file(a netip.Addr) string { return filepath.Join(l.dir, a.String()) }
