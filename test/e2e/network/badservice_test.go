package network

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// A mistake in one Service is a sentence in its status and an event, and the others go on. A port of a process stays
// the process's until it has ended.
//
// e2e: Services :: should prevent NodePort collisions
// e2e: Services :: should check NodePort out-of-range
func TestOneBadServiceHarmsNoOther(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	outside := b.Neighbour()
	var taken []net.Listener
	b.Must(lab.InNetns(b.Netns(), func() error {
		for _, addr := range []string{"0.0.0.0:30090", harness.BoardAddr + ":8443", "127.0.0.1:30091"} {
			l, err := net.Listen("tcp4", addr)
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
			taken = append(taken, l)
		}
		return nil
	}))
	b.MustDrop("a-good", harness.ServiceOf("good", "type: NodePort", "clusterIP: 10.211.0.77", "selector: {app: web}", "ports: [{name: t, port: 80, targetPort: 7000, nodePort: 30091}, {name: u, port: 80, protocol: UDP, targetPort: 7000, nodePort: 30091}]"))
	b.MustDrop("web", labelled(harness.OnePod("web", harness.Forever), "web"))
	b.Answer(b.NetnsOf("web"), "web", 7000)
	reached(b, outside, net.JoinHostPort(harness.BoardAddr, "30091"), "web")
	for name, c := range map[string]struct{ manifest, want string }{
		"b-ip":      {harness.ServiceOf("ip", "clusterIP: 10.211.0.77", "selector: {app: web}", "ports: [{port: 80}]"), "spec.clusterIPs: failed to allocate IP 10.211.0.77: provided IP is already allocated to Service default/good"},
		"c-far":     {harness.ServiceOf("far", "clusterIP: 192.0.2.77", "selector: {app: web}", "ports: [{port: 80}]"), "192.0.2.77 is not within the networks of Services"},
		"d-port":    {harness.ServiceOf("port", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, nodePort: 30091}]"), "provided port is already allocated to Service default/good"},
		"e-process": {harness.ServiceOf("process", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, targetPort: 7000, nodePort: 30090}]"), "node port 30090/TCP is used by a process of this machine, which keeps it"},
		"f-lb":      {harness.ServiceOf("lb", "type: LoadBalancer", "selector: {app: web}", "ports: [{port: 8443, targetPort: 7000}]"), harness.BoardAddr + " port 8443/TCP is used by a process of this machine, which keeps it"},
		"g-nobody":  {harness.ServiceOf("nobody", "ports: [{port: 80}]"), "the Service has no selector, and no EndpointSlice"},
		"h-name":    {harness.ServiceOf("name", "type: ExternalName", "externalName: 192.0.2.9"), "spec.externalName: 192.0.2.9 is taken for a name"},
		"i-fqdn":    {strings.ReplaceAll(sliceOf("names", "FQDN", "db.example"), "---\n", "") + "---\n" + harness.ServiceOf("names", "ports: [{name: t, port: 80}]"), "addressType FQDN of EndpointSlice names-fqdn is deprecated"},
		"j-dns":     {harness.ServiceOf("Not_DNS", "selector: {app: web}", "ports: [{port: 80}]"), `metadata.name: Invalid value: "Not_DNS": a lowercase RFC 1123 label must consist of`},
		"k-dot":     {harness.ServiceOf("alias", "type: ExternalName", "externalName: a..b"), `spec.externalName: Invalid value: "a..b"`},
	} {
		b.MustDrop(name, c.manifest)
		b.Event(c.want)
	}
	for _, name := range []string{"ip", "far", "port", "process", "lb", "nobody", "name", "names"} {
		if got := b.CLI("get", "svc", name, "-o", "yaml"); !strings.Contains(got, "podd.dev/NotAsWritten") {
			t.Errorf("the status of %s says nothing:\n%s", name, got)
		}
	}
	reached(b, outside, net.JoinHostPort(harness.BoardAddr, "30091"), "web")
	reached(b, b.Netns(), "10.211.0.77:80", "web")
	if who, _, err := harness.Asked(outside, "tcp", harness.BoardAddr+":8443"); who == "web" {
		t.Errorf("the process has lost its port: %v", err)
	}
	for _, l := range taken {
		l.Close()
	}
	reachedBy(b, outside, "tcp", harness.BoardAddr+":8443", "web")
	reachedBy(b, outside, "tcp", harness.BoardAddr+":30090", "web")
}

// A network of the machine has the Services' addresses: that is said of those whose address it is about.
func TestServicesOnANetworkOfTheMachine(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.Neighbour()
	if out, err := exec.Command("nsenter", "--net="+b.Netns(), "--", "ip", "route", "add", "10.211.1.0/24", "via", harness.OtherAddr).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.MustStart()
	b.MustDrop("a", harness.ServiceOf("free", "clusterIP: 10.211.2.9", "selector: {app: web}", "ports: [{port: 80}]"))
	b.MustDrop("b", harness.ServiceOf("hidden", "clusterIP: 10.211.1.9", "selector: {app: web}", "ports: [{port: 80}]"))
	b.Event("10.211.1.9 is also an address of 10.211.1.0/24, to which this machine has a route")
	if got := b.CLI("get", "svc", "free", "-o", "yaml"); strings.Contains(got, "NotAsWritten") {
		t.Errorf("its address is nobody else's:\n%s", got)
	}
}
