package network

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"podd/test/harness"
	"podd/test/lab"
)

const dual = "ipFamilyPolicy: RequireDualStack"

// A Service answers in both families and both protocols on all its addresses, to pods and to the rest of the network,
// who is seen as who it is.
//
// e2e: Services :: should preserve source pod IP for traffic thru service cluster IP [LinuxOnly]
// e2e: Services :: should serve multiport endpoints from pods
// e2e: Services :: should be able to create a functioning NodePort service
// e2e: Services :: should allow pods to hairpin back to themselves through services
func TestServicesAnswerEverywhere(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	outside := b.Neighbour()
	b.MustDrop("balanced", harness.ServiceOf("balanced", "type: LoadBalancer", dual, "selector: {app: web}", bothProtocols))
	b.MustDrop("external", harness.ServiceOf("external", dual, "selector: {app: web}", "externalIPs: [198.51.100.7, \"2001:db8:5::7\"]", strings.ReplaceAll(bothProtocols, "port: 80", "port: 81")))
	b.MustDrop("theirs", harness.ServiceOf("theirs", "type: LoadBalancer", "loadBalancerClass: example.com/lb", "selector: {app: web}", strings.ReplaceAll(bothProtocols, "port: 80", "port: 82")))
	b.MustDrop("web", labelled(harness.OnePod("web", harness.Forever), "web"))
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	web, client := b.NetnsOf("web"), b.NetnsOf("client")
	b.Answer(web, "web", 7000)
	balanced := b.Service("balanced")
	b.Shows([]string{"balanced", "LoadBalancer", harness.BoardAddr + "," + harness.BoardAddr6}, "get", "svc", "balanced")
	b.Shows([]string{"theirs", "LoadBalancer", "<pending>"}, "get", "svc", "theirs")
	from := map[bool]string{true: b.MustPod("client").Status.PodIPs[1].IP, false: b.MustPod("client").Status.PodIPs[0].IP}
	for _, ip := range slices.Concat(balanced.Spec.ClusterIPs, []string{harness.BoardAddr, harness.BoardAddr6}) {
		for _, netns := range []string{client, web, b.Netns()} {
			reached(b, netns, net.JoinHostPort(ip, "80"), "web")
		}
		for _, protocol := range []string{"tcp", "udp"} {
			if _, sees, err := harness.Asked(client, protocol, net.JoinHostPort(ip, "80")); sees != from[strings.Contains(ip, ":")] {
				t.Errorf("%s %s: the pod sees %s, %v", protocol, ip, sees, err)
			}
		}
	}
	for _, front := range []struct{ ip, port string }{
		{harness.BoardAddr, "80"},
		{harness.BoardAddr6, "80"},
		{"198.51.100.7", "81"},
		{"2001:db8:5::7", "81"},
	} {
		reached(b, outside, net.JoinHostPort(front.ip, front.port), "web")
	}
	for protocol, port := range map[string]string{"tcp": nodePort(b, "balanced", "t"), "udp": nodePort(b, "balanced", "u")} {
		for addr, sees := range map[string]string{harness.BoardAddr: harness.OtherAddr, harness.BoardAddr6: harness.OtherAddr6} {
			who, saw, err := harness.Asked(outside, protocol, net.JoinHostPort(addr, port))
			if who != "web" || saw != sees {
				t.Errorf("%s node port of %s: %q answers and sees %s, %v", protocol, addr, who, saw, err)
			}
		}
	}
	refused(b, outside, net.JoinHostPort(harness.BoardAddr, "82"))
	b.MustRemove("web")
	b.Gone("web")
	for _, addr := range []string{harness.BoardAddr, harness.BoardAddr6} {
		refused(b, outside, net.JoinHostPort(addr, "80"))
	}
}

// The board's address is another one: so is its load balancer's.
func TestLoadBalancerFollowsTheBoard(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("svc", harness.ServiceOf("web", "type: LoadBalancer", dual, "selector: {app: web}", bothProtocols))
	b.MustDrop("web", labelled(harness.OnePod("web", harness.Forever), "web"))
	b.Answer(b.NetnsOf("web"), "web", 7000)
	outside := b.Neighbour()
	reached(b, outside, net.JoinHostPort(harness.BoardAddr, "80"), "web")
	reached(b, outside, net.JoinHostPort(harness.BoardAddr6, "80"), "web")
}

// sliceOf is a slice written by hand; endpoints are addresses on port 7000.
func sliceOf(service, family string, addrs ...string) string {
	text := fmt.Sprintf("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %s-%s, labels: {kubernetes.io/service-name: %s}}\naddressType: %s\n"+
		"ports: [{name: t, port: 7000}, {name: u, port: 7000, protocol: UDP}]\nendpoints:\n", service, strings.ToLower(family), service, family)
	for _, a := range addrs {
		text += fmt.Sprintf("- addresses: [\"%s\"]\n", a)
	}
	return text + "---\n"
}

// Policies Local keep to endpoints of this board. A Service that has none of them is silent, and whoever is inside goes
// on to the others where the policy is for those outside.
//
// e2e: Services :: should respect internalTrafficPolicy=Local Pod (hostNetwork: true) to Pod
// e2e: Services :: should respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)
func TestTrafficPolicies(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	outside := b.Neighbour()
	b.Answer(outside, "elsewhere", 7000)
	b.MustDrop("web", harness.OnePod("web", harness.Forever))
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	b.Answer(b.NetnsOf("web"), "here", 7000)
	client := b.NetnsOf("client")
	ips := b.MustPod("web").Status.PodIPs
	const local = "externalTrafficPolicy: Local"
	for i, name := range []string{"inside", "outside", "away"} {
		policy, here := []string{"internalTrafficPolicy: Local", local, "internalTrafficPolicy: Local\n  " + local}[i], []string{ips[0].IP, ips[1].IP}
		four, six := []string{harness.OtherAddr, here[0]}, []string{harness.OtherAddr6, here[1]}
		if name == "away" {
			four, six = four[:1], six[:1]
		}
		b.MustDrop(name, sliceOf(name, "IPv4", four...)+sliceOf(name, "IPv6", six...)+harness.ServiceOf(name, "type: NodePort", dual, policy, bothProtocols))
	}
	// front is a Service's address for a protocol, as those inside or outside reach it.
	front := func(name, protocol string, family int, node bool) string {
		if !node {
			return net.JoinHostPort(b.Service(name).Spec.ClusterIPs[family], "80")
		}
		return net.JoinHostPort([]string{harness.BoardAddr, harness.BoardAddr6}[family], nodePort(b, name, protocol[:1]))
	}
	for _, protocol := range []string{"tcp", "udp"} {
		for family := range 2 {
			for _, c := range []struct {
				from, name string
				node       bool
				want       []string
			}{
				{client, "inside", false, []string{"here"}},
				{b.Netns(), "inside", false, []string{"here"}},
				{outside, "inside", true, []string{"here", "elsewhere"}},
				{client, "outside", false, []string{"here", "elsewhere"}},
				{client, "outside", true, []string{"here", "elsewhere"}},
				{b.Netns(), "outside", true, []string{"here", "elsewhere"}},
				{outside, "outside", true, []string{"here"}},
				{client, "away", true, []string{"elsewhere"}},
			} {
				spread(b, c.from, protocol, front(c.name, protocol, family, c.node), c.want...)
			}
			for from, node := range map[string]bool{client: false, outside: true} {
				who, _, err := harness.Asked(from, protocol, front("away", protocol, family, node))
				if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("%s family %d, outside %t: %q answers, %v; want silence", protocol, family, node, who, err)
				}
			}
		}
	}
}

// spread asks until everybody who is wanted has answered, and nobody else has.
func spread(b *harness.Board, netns, protocol, addr string, want ...string) {
	b.T.Helper()
	heard := map[string]int{}
	err := lab.Poll(harness.Limit, func() (bool, error) {
		who, _, err := harness.Asked(netns, protocol, addr)
		if err != nil {
			return false, err
		}
		heard[who]++
		if !slices.Contains(want, who) {
			return false, lab.Final(fmt.Errorf("%s answers", who))
		}
		return len(heard) == len(want) && (len(want) > 1 || heard[who] > 10), fmt.Errorf("answers %v", heard)
	})
	if err != nil {
		b.T.Errorf("%s %s: %v, want %v", protocol, addr, err, want)
	}
}

// A client that comes back meets the pod that it has met, whatever else changes, and if the daemon dies; once it has
// stayed away for the timeout it is dealt anew.
//
// e2e: Services :: should have session affinity work for service with type clusterIP [LinuxOnly]
// e2e: Services :: should have session affinity timeout work for service with type clusterIP [LinuxOnly]
// e2e: Services :: should have session affinity timeout work for NodePort service [LinuxOnly]
func TestSessionAffinity(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	outside := b.Neighbour()
	sticky := func(name, seconds string) string {
		return harness.ServiceOf(name, "type: NodePort", dual, "selector: {app: web}", "sessionAffinity: ClientIP", "sessionAffinityConfig: {clientIP: {timeoutSeconds: "+seconds+"}}", bothProtocols)
	}
	b.MustDrop("long", sticky("long", "3600"))
	b.MustDrop("short", sticky("short", "1"))
	for i := range 5 {
		name := fmt.Sprint("web", i)
		b.MustDrop(name, labelled(harness.OnePod(name, harness.Forever), "web"))
	}
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	all := []string{}
	for i := range 5 {
		name := fmt.Sprint("web", i)
		b.Answer(b.NetnsOf(name), name, 7000)
		all = append(all, name)
	}
	client := b.NetnsOf("client")
	type way struct{ netns, protocol, addr string }
	ways := []way{{outside, "tcp", net.JoinHostPort(harness.BoardAddr, nodePort(b, "long", "t"))}, {outside, "udp", net.JoinHostPort(harness.BoardAddr6, nodePort(b, "long", "u"))}}
	for _, ip := range b.Service("long").Spec.ClusterIPs {
		for _, netns := range []string{client, b.Netns()} {
			ways = append(ways, way{netns, "tcp", net.JoinHostPort(ip, "80")}, way{netns, "udp", net.JoinHostPort(ip, "80")})
		}
	}
	met := map[way]string{}
	for _, w := range ways {
		met[w] = reachedBy(b, w.netns, w.protocol, w.addr, all...)
	}
	again := func(when string) {
		t.Helper()
		for _, w := range ways {
			for range 8 {
				if who, _, err := harness.Asked(w.netns, w.protocol, w.addr); who != met[w] {
					t.Errorf("%s: %s %s: met %s first and %q now, %v", when, w.protocol, w.addr, met[w], who, err)
				}
			}
		}
	}
	again("at first")
	b.MustDrop("another", labelled(harness.OnePod("another", harness.Forever), "web"))
	b.Answer(b.NetnsOf("another"), "another", 7000)
	b.MustDrop("other", harness.ServiceOf("other", "selector: {app: web}", bothProtocols))
	b.Service("other")
	again("with another pod and another Service")
	b.MustKill9()
	again("without a daemon")
	b.MustStart()
	b.MustDrop("last", harness.ServiceOf("last", "selector: {app: web}", bothProtocols))
	reached(b, client, net.JoinHostPort(b.Service("last").Spec.ClusterIPs[0], "80"), append(all, "another")...)
	again("with the next daemon")

	heard := map[string]bool{}
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		who, _, err := harness.Asked(client, "tcp", net.JoinHostPort(b.Service("short").Spec.ClusterIPs[0], "80"))
		heard[who] = true
		time.Sleep(1100 * time.Millisecond) // what is tested is that a client's time runs out
		return len(heard) > 1, fmt.Errorf("only %v, %w", heard, errors.Join(err))
	}))
}
