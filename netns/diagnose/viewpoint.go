package diagnose

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"podd/netns/inspect"
	"podd/netns/namespace"
)

// Viewpoint is the pod from which the network is looked at; one without a name is none.
type Viewpoint struct {
	Name  string // namespace/name
	Netns string // the file of its network namespace
	Addrs []netip.Addr
}

// Leased is a pod that a dead daemon has left running, found by its lease. The name is its UID, and namespaceOf the file of its
// network namespace; without such a pod nothing is found.
func Leased(leaseDir string, namespaceOf func(uid string) string) (Viewpoint, bool) {
	leases, _ := os.ReadDir(leaseDir)
	for _, lease := range leases {
		addr, err := netip.ParseAddr(lease.Name())
		uid, _ := os.Readlink(filepath.Join(leaseDir, lease.Name()))
		if err != nil || uid == "" {
			continue
		}
		v := Viewpoint{Name: uid, Netns: namespaceOf(uid), Addrs: []netip.Addr{addr}}
		if _, err := os.Stat(v.Netns); err == nil {
			v.addOthers()
			return v, true
		}
	}
	return Viewpoint{}, false
}

// addOthers adds the addresses that the pod has beside the one that its lease is of.
func (v *Viewpoint) addOthers() {
	_ = v.inside(func() error {
		list, err := inspect.HostIPs()
		for _, a := range list {
			if !slices.Contains(v.Addrs, a) {
				v.Addrs = append(v.Addrs, a)
			}
		}
		return err
	})
}

// Network6 is the IPv6 network that the pod's address is in. derived is what the machine's id or name makes of it here: where
// the name has to do, the daemon may go by another, and the pod has an address of what the daemon made.
func (v *Viewpoint) Network6(derived netip.Prefix) netip.Prefix {
	for _, a := range v.Addrs {
		if derived.IsValid() && a.Is6() && !a.Is4In6() && !a.IsLinkLocalUnicast() {
			return netip.PrefixFrom(a, derived.Bits()).Masked()
		}
	}
	return derived
}

// inside runs fn in the pod's network.
func (v *Viewpoint) inside(fn func() error) error { return namespace.Do(v.Netns, fn) }
