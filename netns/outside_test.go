package netns

import (
	"net/netip"
	"slices"
	"sync"
	"testing"

	"podd/netns/nstest"
)

// outsideWay is one connection that is tried.
type outsideWay struct {
	ns, to string
	proto  Protocol
}

func wantWays(t *testing.T, name string, open, closed []outsideWay) {
	t.Helper()
	for _, w := range open {
		wantAnswer(t, w.ns, w.proto, w.to, name)
	}
	var waiting sync.WaitGroup
	for _, w := range closed {
		waiting.Go(func() {
			if got, _, err := ask(w.ns, w.proto, w.to); err == nil {
				t.Errorf("%s at %s from %s is answered by %s", w.proto, w.to, w.ns, got)
			}
		})
	}
	waiting.Wait()
}

// Hosts that route to pods' own addresses through the node reach what pods publish, and nothing else, unless the
// configuration or a policy of the pod says so. The node and the pods always reach all.
func TestOutsideReachesWhatIsPublished(t *testing.T) {
	nstest.NeedRoot(t)
	// A router, so that nothing else keeps them out.
	setForwarding(t, "1")
	t.Cleanup(func() { setForwarding(t, "0") })
	prefix := netip.MustParsePrefix
	published := []string{"192.0.1.1:80", "[2001:db8:1::1]:80", "192.0.1.1:30080", "[2001:db8:1::1]:30080", "192.0.1.1:8443", "198.51.100.7:8443"}
	own := []string{"10.88.0.2:8080", "[fd00:88::2]:8080", "10.88.0.2:8081", "[fd00:88::2]:8081", "10.96.0.1:80", "[fd00:96::1]:80"}
	direct := own[:4]
	nodes := []string{"10.88.0.1:9053", "[fd00:88::1]:9053"} // TCP alone: of UDP, a server of all addresses answers from another
	anybody := PolicyTable{{ID: "a", Ingress: allow(PolicyRule{Anyone: true, Ports: []PortRange{{TCP, 8080, 8080}, {UDP, 8080, 8080}}})}}
	network := PolicyTable{{ID: "a", Ingress: allow(PolicyRule{Peers: []Peer{{Net: prefix("192.0.1.0/24")}, {Net: prefix("2001:db8:1::/64")}}})}}
	for name, c := range map[string]struct {
		change       func(*Config)
		policies     PolicyTable
		open, closed [][]string
	}{
		"nobody asked": {nil, nil, [][]string{published}, [][]string{own, nodes}},
		"to some sources": {
			func(c *Config) { c.PodSources = []netip.Prefix{prefix("192.0.1.0/24"), prefix("2001:db8:1::/64")} }, nil,
			[][]string{published, own, nodes},
			nil,
		},
		"to other sources": {
			func(c *Config) { c.PodSources = []netip.Prefix{prefix("192.0.2.0/24")} }, nil,
			[][]string{published},
			[][]string{own, nodes},
		},
		"a policy admits a network":      {nil, network, [][]string{published, direct}, [][]string{own[4:], nodes}},
		"a policy admits all to a port":  {nil, anybody, [][]string{published, direct[:2]}, [][]string{direct[2:], own[4:], nodes}},
		"a policy admits nobody":         {nil, PolicyTable{{ID: "a", Ingress: allow()}}, nil, [][]string{published, own, nodes}},
		"a policy of another pod admits": {nil, PolicyTable{{ID: "b", Ingress: network[0].Ingress}}, [][]string{published}, [][]string{own, nodes}},
		"host ports for others, and a policy that admits all": {
			func(c *Config) { c.PortSources = []netip.Prefix{prefix("192.0.2.0/24")} }, anybody,
			nil,
			[][]string{published, own, nodes},
		},
		"host ports through another link, and a policy that admits all": {
			func(c *Config) { c.PortInterfaces = []string{"eth7"} }, anybody,
			nil,
			[][]string{published, own, nodes},
		},
		"host ports for others, pods for all": {
			func(c *Config) {
				c.PortSources, c.PodSources = []netip.Prefix{prefix("192.0.2.0/24")}, []netip.Prefix{prefix("0.0.0.0/0"), prefix("::/0")}
			}, nil,
			[][]string{direct, nodes},
			[][]string{published},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []func(*Config)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			n, root := newServiceNetwork(t, changes...)
			east := newLAN(t, n, root, "east", 1)
			if err := n.SetPolicies(c.policies); err != nil {
				t.Fatal(err)
			}
			a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: TCP, HostPort: 80, Container: 8080}, {Protocol: UDP, HostPort: 80, Container: 8080}}})
			b := newTestPod(t, n, root, Pod{ID: "b"})
			a.serve(t, 8080)
			a.serve(t, 8081)
			var table ServiceTable
			for _, proto := range []Protocol{TCP, UDP} {
				s, balanced := serviceOf(proto, a), serviceOf(proto, a)
				balanced.Name, balanced.ClusterIPs, balanced.NodePort, balanced.Port = "lb"+proto.String(), nil, 0, 8443
				balanced.External = []netip.Addr{east.node[0], netip.MustParseAddr("198.51.100.7")}
				table = append(table, s, balanced)
			}
			apply(t, n, table...)
			serveIn(t, "", "a", 9053)
			var open, closed []outsideWay
			for _, proto := range []Protocol{TCP, UDP} {
				for list, ways := range map[*[]outsideWay][][]string{&open: c.open, &closed: c.closed} {
					for _, addresses := range ways {
						for _, to := range addresses {
							if proto == UDP && slices.Contains(nodes, to) {
								continue
							}
							*list = append(*list, outsideWay{east.ns, to, proto})
						}
					}
				}
				for _, to := range own {
					open = append(open, outsideWay{"", to, proto})
					if len(c.policies) == 0 {
						open = append(open, outsideWay{b.ns, to, proto})
					}
				}
			}
			for _, to := range nodes {
				open = append(open, outsideWay{"", to, TCP}, outsideWay{b.ns, to, TCP})
			}
			wantWays(t, "a", open, closed)
		})
	}
}
