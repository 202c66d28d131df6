package netns

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// load reads the folder once. Leases of another network (the configured one has changed) are kept
// as they are: their holders may still run, and go with them.
func (l *leases) load() error {
	if l.loaded {
		return nil
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make lease folder: %w", err)
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("cannot read leases: %w", err)
	}
	l.byID = make(map[string]netip.Addr, len(entries))
	l.taken = make(map[netip.Addr]bool, len(entries))
	for _, e := range entries {
		l.loadOne(e.Name())
	}
	l.loaded = true
	return nil
}

func (l *leases) loadOne(name string) {
	target, err := os.Readlink(filepath.Join(l.dir, name))
	if name == lastFile {
		if a, perr := netip.ParseAddr(target); err == nil && perr == nil {
			l.last = a
		}
		return
	}
	a, perr := netip.ParseAddr(name)
	if perr != nil {
		return
	}
	l.taken[a] = true
	if err == nil {
		l.byID[target] = a
	}
}

// nextHost is the address after a that a pod may have, round robin: not the network's own, not
// the gateway's (the first), not the broadcast's (the last). From anywhere outside it is the first.
func nextHost(p netip.Prefix, a netip.Addr) netip.Addr {
	first := p.Masked().Addr().Next().Next()
	if !a.IsValid() || !p.Contains(a) || a.Less(first) {
		return first
	}
	next := a.Next()
	if !next.Less(lastAddr(p)) {
		return first
	}
	return next
}

// hostCount is how many addresses pods can have: all but the network's, the gateway's and the
// broadcast's.
func hostCount(p netip.Prefix) int { return 1<<(32-p.Bits()) - 3 }
