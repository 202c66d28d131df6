package runtime

import (
	"net/netip"
	"time"

	"podd/runtime/state"
)

// hostAddresses keeps the board's addresses for a while: every published status shows them. They belong to the loop.
type hostAddresses struct {
	read state.BootTime // since boot
	ips  []netip.Addr
}

// forget says that the addresses may be others now.
func (h *hostAddresses) forget() {
	h.ips = nil
}

func (h *hostAddresses) get(read func() ([]netip.Addr, error)) []netip.Addr {
	const fresh = 30 * time.Second
	now := state.Now().Mono
	if h.ips != nil && now < h.read.Add(fresh) {
		return h.ips
	}
	if ips, err := read(); err == nil {
		h.ips, h.read = ips, now
	}
	return h.ips
}

// boardIPs are the board's addresses of now.
func (r *Runtime) boardIPs() []netip.Addr {
	ips := r.hostIPs.get(r.HostIPs)
	first := ""
	if len(ips) > 0 {
		first = ips[0].String()
	}
	r.prober.SetHostAddress(first)
	return ips
}
