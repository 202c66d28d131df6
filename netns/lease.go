package netns

import (
	"errors"
	"fmt"
	"net/netip"

	"podd/internal/atomicfile"
	"podd/internal/lease"
	"podd/netns/nft"
)

// addresses hands out the pods' addresses.
type addresses struct{ n *Network }

// newLeases hands out the addresses of one network. Those of another network (the configured one has changed) stay their
// pods' until these get a new attachment.
func newLeases(dir string, cidr netip.Prefix, report atomicfile.Report) *lease.Leases[netip.Addr] {
	return lease.New(dir, lease.Set[netip.Addr]{
		Format: netip.Addr.String,
		Parse: func(name string) (netip.Addr, bool) {
			a, err := netip.ParseAddr(name)
			return a, err == nil && a.String() == name
		},
		Next: func(a netip.Addr) netip.Addr { return nextHost(cidr, a) },
		Size: uint64(max(hostCount(cidr), 0)),
		Keep: cidr.Contains,
	}, report)
}

// leaseAddress gives a pod its address.
func (ad addresses) leaseAddress(id string) (netip.Addr, error) {
	a, err := ad.n.leases.Acquire(id)
	if errors.Is(err, lease.ErrExhausted) {
		err = ErrExhausted
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot lease an address of %s: %w", ad.n.cfg.CIDR, err)
	}
	return a, nil
}

// reclaim gives a pod the address that it is known to have, whoever holds it according to the folder.
func (ad addresses) reclaim(id string, a netip.Addr) error {
	err := ad.n.leases.Claim(id, a)
	if !errors.Is(err, lease.ErrTaken) {
		return err
	}
	if err := ad.n.leases.Release(ad.n.leases.Holder(a)); err != nil {
		return err
	}
	return ad.n.leases.Claim(id, a)
}

// canHave says whether a pod can have an address: one of the network, or of the network that was configured before.
func (ad addresses) canHave(a netip.Addr) bool {
	if !ad.n.cfg.CIDR.Contains(a) {
		return a.Is4() && a.IsGlobalUnicast()
	}
	return a != ad.n.cfg.CIDR.Addr() && a != ad.n.gateway && a != nft.LastAddr(ad.n.cfg.CIDR)
}

// nextHost is the address after a that a pod may have, round robin: not the network's own, not
// the gateway's (the first), not the broadcast's (the last). From anywhere outside it is the first.
func nextHost(p netip.Prefix, a netip.Addr) netip.Addr {
	first := p.Masked().Addr().Next().Next()
	if !a.IsValid() || !p.Contains(a) || a.Less(first) {
		return first
	}
	next := a.Next()
	if !next.Less(nft.LastAddr(p)) {
		return first
	}
	return next
}

// hostCount is how many addresses pods can have: all but the network's, the gateway's and the
// broadcast's.
func hostCount(p netip.Prefix) int { return 1<<(32-p.Bits()) - 3 }
