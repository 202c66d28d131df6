package dns

import (
	"net/netip"
	"sync"
)

// shares deal a bounded number of places to clients. A client may have so many at most, and never more than are left: when
// places become few, those who have many get no more, and for somebody who has none there is one.
type shares struct {
	max, each int

	mu    sync.Mutex
	taken int
	by    map[netip.Addr]int
}

func newShares(max, each int) *shares {
	return &shares{max: max, each: each, by: map[netip.Addr]int{}}
}

// take gives the client a place, or says that there is none for it.
func (s *shares) take(client netip.Addr) bool {
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

func (s *shares) giveBack(client netip.Addr) {
	client = client.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[client]--; s.by[client] == 0 {
		delete(s.by, client)
	}
}
