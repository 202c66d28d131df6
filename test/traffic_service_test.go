package test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

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
	b := newBoard(t)
	outside := b.neighbour()
	b.drop("balanced", serviceOf("balanced", "type: LoadBalancer", dual, "selector: {app: web}", bothProtocols))
	b.drop("external", serviceOf("external", dual, "selector: {app: web}", "externalIPs: [198.51.100.7, \"2001:db8:5::7\"]", strings.ReplaceAll(bothProtocols, "port: 80", "port: 81")))
	b.drop("theirs", serviceOf("theirs", "type: LoadBalancer", "loadBalancerClass: example.com/lb", "selector: {app: web}", strings.ReplaceAll(bothProtocols, "port: 80", "port: 82")))
	b.drop("web", labelled(onePod("web", forever), "web"))
	b.drop("client", onePod("client", forever))
	web, client := b.netnsOf("web"), b.netnsOf("client")
	b.answer(web, "web", 7000)
	balanced := b.service("balanced")
	b.shows([]string{"balanced", "LoadBalancer", boardAddr + "," + boardAddr6}, "get", "svc", "balanced")
	b.shows([]string{"theirs", "LoadBalancer", "<pending>"}, "get", "svc", "theirs")
	from := map[bool]string{true: b.pod("client").Status.PodIPs[1].IP, false: b.pod("client").Status.PodIPs[0].IP}
	for _, ip := range slices.Concat(balanced.Spec.ClusterIPs, []string{boardAddr, boardAddr6}) {
		for _, netns := range []string{client, web, b.Netns()} {
			b.reached(netns, net.JoinHostPort(ip, "80"), "web")
		}
		for _, protocol := range []string{"tcp", "udp"} {
			if _, sees, err := asked(client, protocol, net.JoinHostPort(ip, "80")); sees != from[strings.Contains(ip, ":")] {
				t.Errorf("%s %s: the pod sees %s, %v", protocol, ip, sees, err)
			}
		}
	}
	for _, front := range []struct{ ip, port string }{
		{boardAddr, "80"},
		{boardAddr6, "80"},
		{"198.51.100.7", "81"},
		{"2001:db8:5::7", "81"},
	} {
		b.reached(outside, net.JoinHostPort(front.ip, front.port), "web")
	}
	for protocol, port := range map[string]string{"tcp": b.nodePort("balanced", "t"), "udp": b.nodePort("balanced", "u")} {
		for addr, sees := range map[string]string{boardAddr: otherAddr, boardAddr6: otherAddr6} {
			who, saw, err := asked(outside, protocol, net.JoinHostPort(addr, port))
			if who != "web" || saw != sees {
				t.Errorf("%s node port of %s: %q answers and sees %s, %v", protocol, addr, who, saw, err)
			}
		}
	}
	b.refused(outside, net.JoinHostPort(boardAddr, "82"))
	b.remove("web")
	b.gone("web")
	for _, addr := range []string{boardAddr, boardAddr6} {
		b.refused(outside, net.JoinHostPort(addr, "80"))
	}
}

// The board's address is another one: so is its load balancer's.
func TestLoadBalancerFollowsTheBoard(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("svc", serviceOf("web", "type: LoadBalancer", dual, "selector: {app: web}", bothProtocols))
	b.drop("web", labelled(onePod("web", forever), "web"))
	b.answer(b.netnsOf("web"), "web", 7000)
	outside := b.neighbour()
	b.reached(outside, net.JoinHostPort(boardAddr, "80"), "web")
	b.reached(outside, net.JoinHostPort(boardAddr6, "80"), "web")
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
	b := newBoard(t)
	outside := b.neighbour()
	b.answer(outside, "elsewhere", 7000)
	b.drop("web", onePod("web", forever))
	b.drop("client", onePod("client", forever))
	b.answer(b.netnsOf("web"), "here", 7000)
	client := b.netnsOf("client")
	ips := b.pod("web").Status.PodIPs
	const local = "externalTrafficPolicy: Local"
	for i, name := range []string{"inside", "outside", "away"} {
		policy, here := []string{"internalTrafficPolicy: Local", local, "internalTrafficPolicy: Local\n  " + local}[i], []string{ips[0].IP, ips[1].IP}
		four, six := []string{otherAddr, here[0]}, []string{otherAddr6, here[1]}
		if name == "away" {
			four, six = four[:1], six[:1]
		}
		b.drop(name, sliceOf(name, "IPv4", four...)+sliceOf(name, "IPv6", six...)+serviceOf(name, "type: NodePort", dual, policy, bothProtocols))
	}
	// front is a Service's address for a protocol, as those inside or outside reach it.
	front := func(name, protocol string, family int, node bool) string {
		if !node {
			return net.JoinHostPort(b.service(name).Spec.ClusterIPs[family], "80")
		}
		return net.JoinHostPort([]string{boardAddr, boardAddr6}[family], b.nodePort(name, protocol[:1]))
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
				b.spread(c.from, protocol, front(c.name, protocol, family, c.node), c.want...)
			}
			for from, node := range map[string]bool{client: false, outside: true} {
				who, _, err := asked(from, protocol, front("away", protocol, family, node))
				if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("%s family %d, outside %t: %q answers, %v; want silence", protocol, family, node, who, err)
				}
			}
		}
	}
}

// spread asks until everybody who is wanted has answered, and nobody else has.
func (b *Board) spread(netns, protocol, addr string, want ...string) {
	b.t.Helper()
	heard := map[string]int{}
	err := lab.Poll(limit, func() (bool, error) {
		who, _, err := asked(netns, protocol, addr)
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
		b.t.Errorf("%s %s: %v, want %v", protocol, addr, err, want)
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
	b := newBoard(t)
	outside := b.neighbour()
	sticky := func(name, seconds string) string {
		return serviceOf(name, "type: NodePort", dual, "selector: {app: web}", "sessionAffinity: ClientIP", "sessionAffinityConfig: {clientIP: {timeoutSeconds: "+seconds+"}}", bothProtocols)
	}
	b.drop("long", sticky("long", "3600"))
	b.drop("short", sticky("short", "1"))
	for i := range 5 {
		name := fmt.Sprint("web", i)
		b.drop(name, labelled(onePod(name, forever), "web"))
	}
	b.drop("client", onePod("client", forever))
	all := []string{}
	for i := range 5 {
		name := fmt.Sprint("web", i)
		b.answer(b.netnsOf(name), name, 7000)
		all = append(all, name)
	}
	client := b.netnsOf("client")
	type way struct{ netns, protocol, addr string }
	ways := []way{{outside, "tcp", net.JoinHostPort(boardAddr, b.nodePort("long", "t"))}, {outside, "udp", net.JoinHostPort(boardAddr6, b.nodePort("long", "u"))}}
	for _, ip := range b.service("long").Spec.ClusterIPs {
		for _, netns := range []string{client, b.Netns()} {
			ways = append(ways, way{netns, "tcp", net.JoinHostPort(ip, "80")}, way{netns, "udp", net.JoinHostPort(ip, "80")})
		}
	}
	met := map[way]string{}
	for _, w := range ways {
		met[w] = b.reachedBy(w.netns, w.protocol, w.addr, all...)
	}
	again := func(when string) {
		t.Helper()
		for _, w := range ways {
			for range 8 {
				if who, _, err := asked(w.netns, w.protocol, w.addr); who != met[w] {
					t.Errorf("%s: %s %s: met %s first and %q now, %v", when, w.protocol, w.addr, met[w], who, err)
				}
			}
		}
	}
	again("at first")
	b.drop("another", labelled(onePod("another", forever), "web"))
	b.answer(b.netnsOf("another"), "another", 7000)
	b.drop("other", serviceOf("other", "selector: {app: web}", bothProtocols))
	b.service("other")
	again("with another pod and another Service")
	b.kill9()
	again("without a daemon")
	b.start()
	b.drop("last", serviceOf("last", "selector: {app: web}", bothProtocols))
	b.reached(client, net.JoinHostPort(b.service("last").Spec.ClusterIPs[0], "80"), append(all, "another")...)
	again("with the next daemon")

	heard := map[string]bool{}
	b.must(lab.Poll(limit, func() (bool, error) {
		who, _, err := asked(client, "tcp", net.JoinHostPort(b.service("short").Spec.ClusterIPs[0], "80"))
		heard[who] = true
		time.Sleep(1100 * time.Millisecond) // what is tested is that a client's time runs out
		return len(heard) > 1, fmt.Errorf("only %v, %w", heard, errors.Join(err))
	}))
}
