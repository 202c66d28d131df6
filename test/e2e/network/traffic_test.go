package network

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/harness"
	"podd/test/lab"
)

// reached waits until an address is answered by one of some, in both protocols.
func reached(b *harness.Board, netns, addr string, want ...string) {
	b.T.Helper()
	for _, protocol := range []string{"tcp", "udp"} {
		reachedBy(b, netns, protocol, addr, want...)
	}
}

// reachedBy waits until an address is answered by one of some, and says by whom.
func reachedBy(b *harness.Board, netns, protocol, addr string, want ...string) (who string) {
	b.T.Helper()
	err := lab.Poll(harness.Limit, func() (bool, error) {
		var err error
		who, _, err = harness.Asked(netns, protocol, addr)
		return slices.Contains(want, who), fmt.Errorf("%s %s is answered by %q, %w; want %q", protocol, addr, who, errors.Join(err), want)
	})
	if err != nil {
		b.T.Error(err)
	}
	return who
}

// refused waits until nobody answers at an address, and the client is told so at once.
func refused(b *harness.Board, netns, addr string) {
	b.T.Helper()
	for _, protocol := range []string{"tcp", "udp"} {
		err := lab.Poll(harness.Limit, func() (bool, error) {
			who, _, err := harness.Asked(netns, protocol, addr)
			return errors.Is(err, unix.ECONNREFUSED), fmt.Errorf("%s %s: %q, %w", protocol, addr, who, errors.Join(err))
		})
		if err != nil {
			b.T.Error(err)
		}
	}
}

func nodePort(b *harness.Board, service, port string) string {
	b.T.Helper()
	for _, p := range b.Service(service).Spec.Ports {
		if p.Name == port && p.NodePort != 0 {
			return fmt.Sprint(p.NodePort)
		}
	}
	b.T.Fatalf("port %s of Service %s has no node port", port, service)
	return ""
}

// bothProtocols are a Service's ports for TCP and UDP, to one port of its pods.
const bothProtocols = "ports: [{name: t, port: 80, targetPort: 7000}, {name: u, port: 80, protocol: UDP, targetPort: 7000}]"

// labelled gives a pod's manifest a label app.
func labelled(manifest, app string) string {
	return strings.Replace(manifest, "metadata:\n", "metadata:\n  labels: {app: "+app+"}\n", 1)
}

// lingering is a pod that takes its time to end, until the file /end is there.
func lingering(name, app string) string {
	script := "trap : TERM; until [ -e /end ]; do sleep 0.05; done"
	return labelled(strings.Replace(harness.OnePod(name, script), "terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 600", 1), app)
}

// A pod that is to end gets no new connection while another is there, and all of them when none is, until it has ended.
//
// e2e: Services :: should fallback to terminating endpoints when there are no ready endpoints with externallTrafficPolicy=Cluster
// e2e: Services :: should fallback to local terminating endpoints when there are no ready endpoints with externalTrafficPolicy=Local
func TestTerminatingPodsAreTheLastResort(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("svc", harness.ServiceOf("web", "type: NodePort", "ipFamilyPolicy: RequireDualStack", "selector: {app: web}", "externalTrafficPolicy: Local", "internalTrafficPolicy: Local", bothProtocols))
	b.MustDrop("old", lingering("old", "web"))
	b.MustDrop("new", labelled(harness.OnePod("new", harness.Forever), "web"))
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	for _, name := range []string{"old", "new"} {
		b.Answer(b.NetnsOf(name), name, 7000)
	}
	client := b.NetnsOf("client")
	ips := b.Service("web").Spec.ClusterIPs
	b.MustRemove("old")
	b.Shows([]string{"old", "Terminating"}, "get", "pods", "old")
	for range 10 {
		for _, ip := range ips {
			reached(b, client, net.JoinHostPort(ip, "80"), "new")
		}
	}
	b.MustRemove("new")
	b.Gone("new")
	for _, ip := range ips {
		reached(b, client, net.JoinHostPort(ip, "80"), "old")
	}
	node := net.JoinHostPort(gateway(b), nodePort(b, "web", "t"))
	if who, _, err := harness.Asked(client, "tcp", node); who != "old" {
		t.Errorf("%s is answered by %q, %v", node, who, err)
	}
	if got := strings.Fields(b.CLI("get", "endpointslices", "-o", "yaml")); !strings.Contains(strings.Join(got, " "), "ready: false serving: true terminating: true") {
		t.Errorf("the slices say %s", got)
	}
	b.Sh("old", "main", "touch /end")
	b.Gone("old")
	refused(b, client, net.JoinHostPort(ips[0], "80"))
}
