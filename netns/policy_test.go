package netns

import (
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"podd/netns/namespace"
)

func allow(rules ...PolicyRule) *[]PolicyRule { return &rules }

func from(ids ...string) (peers []Peer) {
	for _, id := range ids {
		peers = append(peers, Peer{ID: id})
	}
	return peers
}

func TestPolicies(t *testing.T) {
	n, root := newServiceNetwork(t)
	outside := filepath.Join(root, "outside")
	if err := namespace.EnsureSandbox(outside, namespace.SandboxOptions{Net: true}); err != nil {
		t.Fatal(err)
	}
	uplink(t, n, outside)
	serveIn(t, filepath.Join(outside, "net"), "world", 8080)
	// The policy is there before the pod is.
	shut := PolicyTable{{ID: "a", Ingress: allow()}}
	if err := n.SetPolicies(shut); err != nil {
		t.Fatal(err)
	}
	a := newTestPod(t, n, root, Pod{ID: "a", Ports: []HostPort{{Protocol: TCP, HostPort: 80, Container: 8080}}})
	b, c := newTestPod(t, n, root, Pod{ID: "b"}), newTestPod(t, n, root, Pod{ID: "c"})
	for _, p := range []testPod{a, b, c} {
		p.serve(t, 8080)
		p.serve(t, 8081)
	}
	apply(t, n, serviceOf(TCP, a))
	world := filepath.Join(outside, "net")
	type way struct {
		ns, to string
		proto  Protocol
	}
	v4, v6, service, hostPort := "10.88.0.2:8080", "[fd00:88::2]:8080", "10.96.0.1:80", "192.0.2.1:80"
	for _, s := range []struct {
		name         string
		table        PolicyTable
		open, closed []way
	}{
		{
			"nothing in", shut,
			[]way{{"", v4, TCP}, {"", v6, TCP}, {"", service, TCP}, {"", "127.0.0.1:80", TCP}, {b.ns, "10.88.0.4:8080", TCP}, {a.ns, "10.88.0.3:8080", UDP}, {a.ns, "192.0.2.2:8080", TCP}},
			[]way{{b.ns, v4, TCP}, {b.ns, v6, TCP}, {b.ns, v4, UDP}, {b.ns, service, TCP}, {world, hostPort, TCP}},
		},
		{
			"one pod in",
			PolicyTable{{ID: "a", Ingress: allow(PolicyRule{Peers: from("b")})}},
			[]way{{b.ns, v4, TCP}, {b.ns, v6, UDP}, {b.ns, service, TCP}, {b.ns, "10.88.0.2:8081", TCP}},
			[]way{{c.ns, v4, TCP}, {c.ns, v6, TCP}, {c.ns, service, TCP}, {world, hostPort, TCP}},
		},
		{
			"one port of one protocol",
			PolicyTable{{ID: "a", Ingress: allow(PolicyRule{Anyone: true, Ports: []PortRange{{TCP, 8080, 8080}}})}},
			[]way{{b.ns, v4, TCP}, {c.ns, v6, TCP}, {world, hostPort, TCP}},
			[]way{{b.ns, v4, UDP}, {b.ns, "10.88.0.2:8081", TCP}},
		},
		{
			"ranges and several rules",
			PolicyTable{{ID: "a", Ingress: allow(
				PolicyRule{Peers: from("b"), Ports: []PortRange{{TCP, 8000, 8080}, {TCP, 8070, 8081}, {UDP, 1, 8000}}},
				PolicyRule{Peers: from("c", "b"), Ports: []PortRange{{UDP, 8081, 9000}}})}},
			[]way{{b.ns, v4, TCP}, {b.ns, "[fd00:88::2]:8081", TCP}, {c.ns, "10.88.0.2:8081", UDP}, {b.ns, "10.88.0.2:8081", UDP}},
			[]way{{b.ns, v4, UDP}, {c.ns, v4, TCP}, {c.ns, v4, UDP}},
		},
		{
			"networks with holes",
			PolicyTable{{ID: "a", Ingress: allow(PolicyRule{Peers: []Peer{
				{Net: netip.MustParsePrefix("10.88.0.0/24"), Except: []netip.Prefix{netip.MustParsePrefix("10.88.0.4/32")}}, {Net: netip.MustParsePrefix("192.0.2.0/24")},
			}})}},
			[]way{{b.ns, v4, TCP}, {world, hostPort, TCP}},
			[]way{{c.ns, v4, TCP}, {b.ns, v6, TCP}},
		},
		{
			"nothing out",
			PolicyTable{{ID: "b", Egress: allow()}},
			[]way{{c.ns, v4, TCP}, {a.ns, "10.88.0.3:8080", TCP}, {"", "10.88.0.3:8080", TCP}, {b.ns, "10.88.0.1:9", TCP}},
			[]way{{b.ns, v4, TCP}, {b.ns, v6, TCP}, {b.ns, service, TCP}, {b.ns, "192.0.2.2:8080", TCP}},
		},
		{
			"out to one port, in from nobody",
			PolicyTable{
				{ID: "b", Egress: allow(PolicyRule{Peers: from("a"), Ports: []PortRange{{TCP, 8080, 8080}}}), Ingress: allow()},
				{ID: "a", Ingress: allow(PolicyRule{Peers: from("b")})},
			},
			[]way{{b.ns, v4, TCP}, {b.ns, service, TCP}, {b.ns, v6, TCP}},
			[]way{{b.ns, "10.88.0.2:8081", TCP}, {b.ns, "10.88.0.4:8080", TCP}, {a.ns, "10.88.0.3:8080", TCP}, {c.ns, "10.88.0.3:8080", UDP}},
		},
		{"all open again", nil, []way{{b.ns, v4, TCP}, {c.ns, service, TCP}, {b.ns, "192.0.2.2:8080", TCP}}, nil},
	} {
		t.Run(s.name, func(t *testing.T) {
			if err := n.SetPolicies(s.table); err != nil {
				t.Fatal(err)
			}
			for _, w := range s.open {
				if strings.HasSuffix(w.to, ":9") { // nobody listens: a refusal shows the way
					wantRefused(t, w.ns, w.proto, w.to)
					continue
				}
				if _, _, err := ask(w.ns, w.proto, w.to); err != nil {
					t.Errorf("%s at %s from %q: %v, want an answer", w.proto, w.to, w.ns, err)
				}
			}
			var waiting sync.WaitGroup
			for _, w := range s.closed {
				waiting.Go(func() { wantSilence(t, w.ns, w.proto, w.to) })
			}
			waiting.Wait()
		})
	}
}

// An address that a pod has given back belongs to no policy, and a pod that has it next to its own.
func TestPoliciesFollowTheAddress(t *testing.T) {
	n, root := newServiceNetwork(t)
	if err := n.SetPolicies(PolicyTable{{ID: "a", Ingress: allow()}}); err != nil {
		t.Fatal(err)
	}
	newTestPod(t, n, root, Pod{ID: "a"})
	count := func() int {
		n.rules.mu.Lock()
		defer n.rules.mu.Unlock()
		return len(n.rules.have.Sets[setIngress+"4"].Elements)
	}
	if got := count(); got != 1 {
		t.Fatalf("%d addresses are isolated, want 1", got)
	}
	if err := n.Detach("a"); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("%d addresses are isolated, want none", got)
	}
}
