package network

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// ports are a Service's, all to port 7000 of its pods or to what is named.
func ports(list ...string) string { return "ports: [" + strings.Join(list, ", ") + "]" }

// atName asks a Service by its name from within a pod and waits for who answers.
func atName(b *harness.Board, pod, service, port string, want ...string) {
	b.T.Helper()
	reachedBy(b, b.NetnsOf(pod), "tcp", net.JoinHostPort(resolved(b, pod, service+".default.svc.cluster.local"), port), want...)
}

// resolved waits until a name has an address.
func resolved(b *harness.Board, pod, name string) string {
	b.T.Helper()
	ip := ""
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		out, _, _ := b.RunCLI("exec", pod, "--", "sh", "-c", "nslookup -type=a "+name+" | sed -n '1,2d;s/^Address: //p' | tail -n 1")
		ip = strings.TrimSpace(out)
		return net.ParseIP(ip) != nil, fmt.Errorf("%s is %q", name, out)
	}))
	return ip
}

// A Service's type, ports and targets change while it is in use.
//
// e2e: Services :: should be able to change the type from ExternalName to ClusterIP
// e2e: Services :: should be able to change the type from ExternalName to NodePort
// e2e: Services :: should be able to change the type from NodePort to ExternalName
// e2e: Services :: should be able to update service type to NodePort listening on same port number but different protocols
// e2e: Services :: should be updated after adding or deleting ports
// e2e: Services :: should be able to up and down services
// e2e: Services :: should be rejected when no endpoints exist
// e2e: DNS :: should work with a service name that starts with a digit [FeatureGate:RelaxedServiceNameValidation]
func TestServicesChange(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", labelled(harness.OnePod("web", harness.Forever), "web"))
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	b.Answer(b.NetnsOf("web"), "web", 7000)
	client := b.NetnsOf("client")
	b.MustDrop("target", harness.ServiceOf("target", "selector: {app: web}", bothProtocols))
	alias := harness.ServiceOf("1svc", "type: ExternalName", "externalName: target.default.svc.cluster.local")
	b.MustDrop("svc", alias)
	atName(b, "client", "1svc", "80", "web")
	if got := b.Service("target").Spec.ClusterIP; resolved(b, "client", "1svc.default.svc.cluster.local") != got {
		t.Errorf("the alias is not %s", got)
	}
	b.MustDrop("svc", harness.ServiceOf("1svc", "selector: {app: web}", bothProtocols))
	own := b.Service("1svc").Spec.ClusterIP
	reached(b, client, own+":80", "web")
	b.MustDrop("svc", harness.ServiceOf("1svc", "type: NodePort", "selector: {app: web}", bothProtocols))
	b.Shows([]string{"1svc", "NodePort", own}, "get", "svc", "1svc")
	reached(b, client, own+":80", "web")
	tcp := net.JoinHostPort(gateway(b), nodePort(b, "1svc", "t"))
	reachedBy(b, client, "tcp", tcp, "web")
	reachedBy(b, client, "udp", net.JoinHostPort(gateway(b), nodePort(b, "1svc", "u")), "web")
	b.MustDrop("svc", alias)
	atName(b, "client", "1svc", "80", "web")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		who, _, err := harness.Asked(client, "tcp", tcp)
		return err != nil, fmt.Errorf("%s is answered by %q", tcp, who)
	}))
	b.MustDrop("svc", harness.ServiceOf("1svc", "type: NodePort", "selector: {app: web}", ports("{name: a, port: 81, targetPort: 7000}", "{name: b, port: 82, targetPort: 7000}")))
	own = b.Service("1svc").Spec.ClusterIP
	reachedBy(b, client, "tcp", own+":81", "web")
	reachedBy(b, client, "tcp", own+":82", "web")
	b.MustDrop("svc", harness.ServiceOf("1svc", "type: NodePort", "selector: {app: web}", ports("{name: b, port: 82, targetPort: 7000}", "{name: c, port: 83, targetPort: 7000}")))
	reachedBy(b, client, "tcp", own+":83", "web")
	reachedBy(b, client, "tcp", own+":82", "web")
	refused(b, client, own+":81")
	b.MustRemove("web")
	b.Gone("web")
	refused(b, client, b.Service("target").Spec.ClusterIP+":80")
	if _, _, err := harness.Asked(client, "tcp", own+":82"); err == nil {
		t.Error("somebody answers without pods")
	}
}

// Each pod says where a named port is, also a sidecar; whoever has ended is no endpoint.
//
// e2e: Services :: should support named targetPorts that resolve to different ports on different endpoints
// e2e: Services :: should connect to the ports exposed by restartable init containers
// e2e: Services :: should connect to the named ports exposed by restartable init containers
// e2e: Services :: should be rejected for evicted pods (no endpoints exist)
func TestNamedPortsAreEachPodsOwn(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	named := func(name string, number int) string {
		return labelled(harness.PodOf(name, harness.ContainerOf("main", harness.Forever, fmt.Sprintf("ports: [{name: web, containerPort: %d}]", number))), "web")
	}
	b.MustDrop("one", named("one", 7001))
	b.MustDrop("two", named("two", 7002))
	sidecar := strings.Replace(labelled(harness.OnePod("three", harness.Forever), "web"), "spec:\n", "spec:\n  initContainers:\n"+
		harness.Indent(harness.ContainerOf("side", harness.Forever, "restartPolicy: Always\nports: [{name: web, containerPort: 7003}]"), 2), 1)
	b.MustDrop("three", sidecar)
	b.MustDrop("ended", labelled(harness.OnePod("ended", "exit 0", "restartPolicy: Never"), "done"))
	b.MustDrop("svc", harness.ServiceOf("web", "selector: {app: web}", ports("{port: 80, targetPort: web}")))
	b.MustDrop("number", harness.ServiceOf("number", "selector: {app: web}", ports("{port: 80, targetPort: 7003}")))
	b.MustDrop("done", harness.ServiceOf("done", "selector: {app: done}", ports("{port: 80, targetPort: 7000}")))
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	for i, name := range []string{"one", "two", "three"} {
		b.Answer(b.NetnsOf(name), name, 7001+i)
	}
	client := b.NetnsOf("client")
	for _, name := range []string{"one", "two", "three"} {
		reachedBy(b, client, "tcp", b.Service("web").Spec.ClusterIP+":80", name)
	}
	reachedBy(b, client, "tcp", b.Service("number").Spec.ClusterIP+":80", "three")
	b.WaitPod("ended", harness.IsPhase("Succeeded"))
	refused(b, client, b.Service("done").Spec.ClusterIP+":80")
}

// With publishNotReadyAddresses pods are reached whether they are ready, or end, or not; without it when they are.
//
// e2e: Services :: should create endpoints for unready pods
// e2e: Services :: should be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true
func TestUnreadyPodsArePublished(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	script := "trap : TERM; until [ -e /end ]; do sleep 0.05; done"
	unready := labelled(strings.Replace(harness.PodOf("slow", harness.ContainerOf("main", script, "readinessProbe: {exec: {command: [test, -e, /ready]}, periodSeconds: 1}")),
		"terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 600", 1), "slow")
	b.MustDrop("slow", unready)
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	published := func(is bool) string {
		return harness.ServiceOf("slow", fmt.Sprintf("publishNotReadyAddresses: %t", is), "selector: {app: slow}", bothProtocols) + "---\n" +
			harness.ServiceOf("names", fmt.Sprintf("publishNotReadyAddresses: %t", is), "clusterIP: None", "selector: {app: slow}")
	}
	b.MustDrop("svc", published(true))
	b.Answer(b.NetnsOf("slow"), "slow", 7000)
	client, front := b.NetnsOf("client"), b.Service("slow").Spec.ClusterIP+":80"
	reached(b, client, front, "slow")
	b.Lookup("client", "names.default.svc.cluster.local", "Address: "+b.MustPod("slow").Status.PodIP)
	b.MustDrop("svc", published(false))
	refused(b, client, front)
	b.Lookup("client", "names.default.svc.cluster.local", "NXDOMAIN")
	b.Sh("slow", "main", "touch /ready")
	reached(b, client, front, "slow")
	b.Sh("slow", "main", "rm /ready")
	refused(b, client, front)
	b.MustDrop("svc", published(true))
	b.MustRemove("slow")
	b.Shows([]string{"slow", "Terminating"}, "get", "pods", "slow")
	reached(b, client, front, "slow")
	b.Lookup("client", "names.default.svc.cluster.local", "Address: "+b.MustPod("slow").Status.PodIP)
	b.Sh("slow", "main", "touch /end")
	b.Gone("slow")
	refused(b, client, front)
}

// Pods on the host's network may ask podd's name server, with its search list, and reach Services.
//
// e2e: DNS HostNetwork :: should resolve DNS of partial qualified names for services on hostNetwork pods with dnsPolicy: ClusterFirstWithHostNet [LinuxOnly]
// e2e: DNS :: should provide /etc/hosts entries for the cluster
// e2e: DNS :: should support configurable pod DNS nameservers
func TestNamesOnTheHostsNetwork(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", labelled(harness.OnePod("web", harness.Forever, "hostname: front", "subdomain: names"), "web"))
	b.MustDrop("svc", harness.ServiceOf("web", "selector: {app: web}", bothProtocols)+"---\n"+harness.ServiceOf("names", "clusterIP: None", "selector: {app: web}"))
	b.MustDrop("host", harness.OnePod("host", harness.Forever, "hostNetwork: true", "dnsPolicy: ClusterFirstWithHostNet"))
	b.Answer(b.NetnsOf("web"), "web", 7000)
	b.Running("host")
	if got := b.Sh("host", "main", "cat /etc/resolv.conf"); !strings.HasPrefix(got, "search default.svc.cluster.local svc.cluster.local cluster.local") || !strings.Contains(got, "nameserver "+gateway(b)) {
		t.Errorf("resolv.conf says %s", got)
	}
	b.Lookup("host", "web.default.svc.cluster.local", "Address: "+b.Service("web").Spec.ClusterIP)
	reached(b, b.Netns(), b.Service("web").Spec.ClusterIP+":80", "web")
	ip := b.MustPod("web").Status.PodIP
	if got := b.Sh("web", "main", "cat /etc/hosts"); !harness.HasLine(got, []string{ip, "front.names.default.svc.cluster.local", "front"}) || !harness.HasLine(got, []string{"127.0.0.1", "localhost"}) {
		t.Errorf("hosts says %s", got)
	}
	b.MustDrop("own", harness.OnePod("own", harness.Forever, "dnsPolicy: None", "dnsConfig: {nameservers: [10.210.0.1], searches: [names.default.svc.cluster.local]}"))
	b.Running("own")
	b.Lookup("own", "front.names.default.svc.cluster.local", "Address: "+ip)
}
