// Package shares keeps one client from taking all places of a server.
package shares

import (
	"net/netip"
	"sync"
)

// Shares deal a bounded number of places to clients. A client may have so many at most, and never more than are left: when
// places become few, those who have many get no more, and for somebody who has none there is one.
type Shares struct {
	max, each int

	mu    sync.Mutex
	taken int
	by    map[netip.Addr]int
}

// New has max places, of which a client may have each.
func New(max, each int) *Shares {
	return &Shares{max: max, each: each, by: map[netip.Addr]int{}}
}

// Take gives the client a place, or says that there is none for it.
func (s *Shares) Take(client netip.Addr) bool {
	client = client.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[client] >= min(s.each, s.max-s.taken) {
		return false
	}
	s.by[client]++
	s.taken++
	return true
}

// GiveBack ends what Take has begun.
func (s *Shares) GiveBack(client netip.Addr) {
	client = client.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[client]--; s.by[client] == 0 {
		delete(s.by, client)
	}
}

// Taken is how many places are taken.
func (s *Shares) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
