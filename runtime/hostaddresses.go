package runtime

import (
	"net/netip"
	"sync"
	"time"

	"podd/runtime/state"
)

// hostAddresses keeps the board's addresses for a while: every published status shows them.
type hostAddresses struct {
	mu   sync.Mutex
	read state.BootTime // since boot
	ips  []netip.Addr
}

// forget says that the addresses may be others now.
func (h *hostAddresses) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ips = nil
}

func (h *hostAddresses) get(read func() ([]netip.Addr, error)) []netip.Addr {
	const fresh = 30 * time.Second
	h.mu.Lock()
	defer h.mu.Unlock()
	now := state.Now().Mono
	if h.ips != nil && now < h.read.Add(fresh) {
		return h.ips
	}
	if ips, err := read(); err == nil {
		h.ips, h.read = ips, now
	}
	return h.ips
}
