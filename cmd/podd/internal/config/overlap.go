package config

import (
	"fmt"
	"net/netip"
)

// namedNetwork is a network of the configuration under its key.
type namedNetwork struct {
	key    string
	prefix netip.Prefix
	bits   int // the longest prefix with room for what the network is for
}

// networks are those that the configuration names; what podd derives from the machine's id overlaps with nothing.
func (c *Config) networks() []namedNetwork {
	var list []namedNetwork
	for _, n := range []namedNetwork{
		{"podCIDR", c.PodCIDR, minPrefixBits},
		{"serviceCIDR", c.ServiceCIDR, minPrefixBits},
		{"podCIDR6", c.PodCIDR6, 128 - (32 - c.PodCIDR.Bits())}, // as many addresses as podCIDR has
		{"serviceCIDR6", c.ServiceCIDR6, 125},
	} {
		if n.prefix.IsValid() {
			list = append(list, n)
		}
	}
	return list
}

// checkNetworks refuses networks that cannot be the pods' or the Services'.
func (c *Config) checkNetworks() error {
	list := c.networks()
	for i, n := range list {
		switch ip := n.prefix.Addr(); {
		case n.prefix != n.prefix.Masked():
			return fmt.Errorf("%s %s has bits set beyond its prefix: did you mean %s?", n.key, n.prefix, n.prefix.Masked())
		case n.prefix.Bits() > n.bits:
			return fmt.Errorf("%s %s is too small: it needs a prefix of at most %d bits", n.key, n.prefix, n.bits)
		case n.prefix.Bits() == 0 || ip.IsLoopback() || ip.IsMulticast() || ip.IsLinkLocalUnicast():
			return fmt.Errorf("%s %s cannot be used: take a private network such as %s", n.key, n.prefix, privateNetwork(ip))
		}
		for _, other := range list[:i] {
			if n.prefix.Overlaps(other.prefix) {
				return fmt.Errorf("%s %s and %s %s overlap: take another network for one of them", other.key, other.prefix, n.key, n.prefix)
			}
		}
	}
	return nil
}

func privateNetwork(ip netip.Addr) string {
	if ip.Is4() {
		return "10.211.0.0/20"
	}
	return "fd12:3456:789a::/112"
}
