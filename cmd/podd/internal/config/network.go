package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podd/netns"
	"podd/netns/inspect"
)

// NetworkConfig is the part of the configuration that is about the pods' network, at the top level of the file.
type NetworkConfig struct {
	PodCIDR6     netip.Prefix `json:"podCIDR6"`     // unset: derived from the machine's id
	ServiceCIDR  netip.Prefix `json:"serviceCIDR"`  // ClusterIPs
	ServiceCIDR6 netip.Prefix `json:"serviceCIDR6"` // unset: derived from the machine's id
	IPv6         bool         `json:"ipv6"`
	PodMTU       int          `json:"podMTU"` // 0: the uplink's

	HostPortInterfaces []string       `json:"hostPortInterfaces"` // host ports, node ports and load balancers are reached through; none: all
	HostPortSources    []netip.Prefix `json:"hostPortSources"`    // likewise from
	PodIPSources       []netip.Prefix `json:"podIPSources"`       // pods are reached from at their own addresses; none: from nowhere outside
	// Router is true on a machine that forwards between its own networks, too, where forwarding is on for podd's sake.
	Router bool `json:"router"`
	// DefaultDeny isolates pods that no NetworkPolicy selects: Ingress, Egress.
	DefaultDeny []string `json:"defaultDeny"`
}

func defaultNetwork() NetworkConfig {
	return NetworkConfig{
		ServiceCIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 211, 0, 0}), 20), IPv6: true,
		HostPortInterfaces: []string{}, HostPortSources: []netip.Prefix{}, PodIPSources: []netip.Prefix{}, DefaultDeny: []string{},
	}
}

func (c *NetworkConfig) check() error {
	switch {
	case !c.ServiceCIDR.IsValid() || !c.ServiceCIDR.Addr().Is4():
		return fmt.Errorf("serviceCIDR must be an IPv4 network such as 10.211.0.0/20")
	case c.PodMTU != 0 && (c.PodMTU < 1280 || c.PodMTU > 65535):
		return fmt.Errorf("podMTU must be 0, for the uplink's, or between 1280 and 65535, not %d", c.PodMTU)
	case !c.IPv6 && (c.PodCIDR6.IsValid() || c.ServiceCIDR6.IsValid()):
		return fmt.Errorf("podCIDR6 and serviceCIDR6 need ipv6: true")
	}
	for key, p := range map[string]netip.Prefix{"podCIDR6": c.PodCIDR6, "serviceCIDR6": c.ServiceCIDR6} {
		if p.IsValid() && !p.Addr().Is6() {
			return fmt.Errorf("%s must be an IPv6 network such as fd12:3456:789a::/64, not %s", key, p)
		}
	}
	for _, name := range c.HostPortInterfaces {
		if name == "" || len(name) > maxInterfaceName || strings.ContainsAny(name, "/: \t") {
			return fmt.Errorf("hostPortInterfaces: %q cannot be the name of a network interface", name)
		}
	}
	for _, d := range c.DefaultDeny {
		if d != "Ingress" && d != "Egress" {
			return fmt.Errorf("defaultDeny takes Ingress and Egress, not %q", d)
		}
	}
	return nil
}

// Network is what the configuration and the machine's id make of the pods' network. Where a machine has no id,
// its name has to do.
func (c *Config) Network() netns.Config {
	n := netns.Config{
		Bridge: c.Bridge, CIDR: c.PodCIDR, LeaseDir: filepath.Join(c.RunDir, "leases"), MTU: c.PodMTU,
		ServiceCIDRs:   []netip.Prefix{c.ServiceCIDR},
		PortInterfaces: c.HostPortInterfaces, PortSources: c.HostPortSources, PodSources: c.PodIPSources, Router: c.Router,
	}
	if !c.IPv6 {
		return n
	}
	secret := c.NodeName
	if id, err := os.ReadFile("/etc/machine-id"); err == nil && len(id) > 0 {
		secret = strings.TrimSpace(string(id))
	}
	if n.CIDR6 = c.PodCIDR6; !n.CIDR6.IsValid() {
		n.CIDR6 = inspect.LocalNetwork(secret, "pods", 64)
	}
	services := c.ServiceCIDR6
	if !services.IsValid() {
		services = inspect.LocalNetwork(secret, "services", 112)
	}
	n.ServiceCIDRs = append(slices.Clip(n.ServiceCIDRs), services)
	return n
}
