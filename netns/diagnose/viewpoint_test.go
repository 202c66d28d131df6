package diagnose

import (
	"net/netip"
	"testing"
)

// A machine without /etc/machine-id derives the pods' IPv6 network from the node's name, and the daemon may have been
// given another one: what its pods have is then the network to look at.
func TestNetworkOfThePod(t *testing.T) {
	t.Parallel()
	derived := netip.MustParsePrefix("fd11:2233:4455::/64")
	for _, c := range []struct {
		name    string
		addrs   []string
		derived netip.Prefix
		want    string
	}{
		{"the same name", []string{"10.88.0.5", "fd11:2233:4455::5"}, derived, "fd11:2233:4455::/64"},
		{"another name", []string{"10.88.0.5", "fdaa:bbcc:ddee::5"}, derived, "fdaa:bbcc:ddee::/64"},
		{"a link's own address is none", []string{"10.88.0.5", "fe80::1"}, derived, "fd11:2233:4455::/64"},
		{"no IPv6 in the pod", []string{"10.88.0.5"}, derived, "fd11:2233:4455::/64"},
		{"no pod", nil, derived, "fd11:2233:4455::/64"},
		{"no IPv6 by configuration", []string{"10.88.0.5", "fdaa:bbcc:ddee::5"}, netip.Prefix{}, "invalid Prefix"},
	} {
		var v Viewpoint
		for _, a := range c.addrs {
			v.Addrs = append(v.Addrs, netip.MustParseAddr(a))
		}
		if got := v.Network6(c.derived).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
