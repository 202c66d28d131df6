package test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"podd/test/lab"
)

// ports are a Service's, all to port 7000 of its pods or to what is named.
func ports(list ...string) string { return "ports: [" + strings.Join(list, ", ") + "]" }

// atName asks a Service by its name from within a pod and waits for who answers.
func (b *Board) atName(pod, service, port string, want ...string) {
	b.t.Helper()
	b.reachedBy(b.netnsOf(pod), "tcp", net.JoinHostPort(b.resolved(pod, service+".default.svc.cluster.local"), port), want...)
}

// resolved waits until a name has an address.
func (b *Board) resolved(pod, name string) string {
	b.t.Helper()
	ip := ""
	b.must(lab.Poll(limit, func() (bool, error) {
		out, _, _ := b.run("exec", pod, "--", "sh", "-c", "nslookup -type=a "+name+" | sed -n '1,2d;s/^Address: //p' | tail -n 1")
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
	b := newBoard(t)
	b.drop("web", labelled(onePod("web", forever), "web"))
	b.drop("client", onePod("client", forever))
	b.answer(b.netnsOf("web"), "web", 7000)
	client := b.netnsOf("client")
	b.drop("target", serviceOf("target", "selector: {app: web}", bothProtocols))
	alias := serviceOf("1svc", "type: ExternalName", "externalName: target.default.svc.cluster.local")
	b.drop("svc", alias)
	b.atName("client", "1svc", "80", "web")
	if got := b.service("target").Spec.ClusterIP; b.resolved("client", "1svc.default.svc.cluster.local") != got {
		t.Errorf("the alias is not %s", got)
	}
	b.drop("svc", serviceOf("1svc", "selector: {app: web}", bothProtocols))
	own := b.service("1svc").Spec.ClusterIP
	b.reached(client, own+":80", "web")
	b.drop("svc", serviceOf("1svc", "type: NodePort", "selector: {app: web}", bothProtocols))
	b.shows([]string{"1svc", "NodePort", own}, "get", "svc", "1svc")
	b.reached(client, own+":80", "web")
	tcp := net.JoinHostPort(b.gateway(), b.nodePort("1svc", "t"))
	b.reachedBy(client, "tcp", tcp, "web")
	b.reachedBy(client, "udp", net.JoinHostPort(b.gateway(), b.nodePort("1svc", "u")), "web")
	b.drop("svc", alias)
	b.atName("client", "1svc", "80", "web")
	b.must(lab.Poll(limit, func() (bool, error) {
		who, _, err := asked(client, "tcp", tcp)
		return err != nil, fmt.Errorf("%s is answered by %q", tcp, who)
	}))
	b.drop("svc", serviceOf("1svc", "type: NodePort", "selector: {app: web}", ports("{name: a, port: 81, targetPort: 7000}", "{name: b, port: 82, targetPort: 7000}")))
	own = b.service("1svc").Spec.ClusterIP
	b.reachedBy(client, "tcp", own+":81", "web")
	b.reachedBy(client, "tcp", own+":82", "web")
	b.drop("svc", serviceOf("1svc", "type: NodePort", "selector: {app: web}", ports("{name: b, port: 82, targetPort: 7000}", "{name: c, port: 83, targetPort: 7000}")))
	b.reachedBy(client, "tcp", own+":83", "web")
	b.reachedBy(client, "tcp", own+":82", "web")
	b.refused(client, own+":81")
	b.remove("web")
	b.gone("web")
	b.refused(client, b.service("target").Spec.ClusterIP+":80")
	if _, _, err := asked(client, "tcp", own+":82"); err == nil {
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
	b := newBoard(t)
	named := func(name string, number int) string {
		return labelled(podOf(name, containerOf("main", forever, fmt.Sprintf("ports: [{name: web, containerPort: %d}]", number))), "web")
	}
	b.drop("one", named("one", 7001))
	b.drop("two", named("two", 7002))
	sidecar := strings.Replace(labelled(onePod("three", forever), "web"), "spec:\n", "spec:\n  initContainers:\n"+
		indent(containerOf("side", forever, "restartPolicy: Always\nports: [{name: web, containerPort: 7003}]"), 2), 1)
	b.drop("three", sidecar)
	b.drop("ended", labelled(onePod("ended", "exit 0", "restartPolicy: Never"), "done"))
	b.drop("svc", serviceOf("web", "selector: {app: web}", ports("{port: 80, targetPort: web}")))
	b.drop("number", serviceOf("number", "selector: {app: web}", ports("{port: 80, targetPort: 7003}")))
	b.drop("done", serviceOf("done", "selector: {app: done}", ports("{port: 80, targetPort: 7000}")))
	b.drop("client", onePod("client", forever))
	for i, name := range []string{"one", "two", "three"} {
		b.answer(b.netnsOf(name), name, 7001+i)
	}
	client := b.netnsOf("client")
	for _, name := range []string{"one", "two", "three"} {
		b.reachedBy(client, "tcp", b.service("web").Spec.ClusterIP+":80", name)
	}
	b.reachedBy(client, "tcp", b.service("number").Spec.ClusterIP+":80", "three")
	b.wait("ended", isPhase("Succeeded"))
	b.refused(client, b.service("done").Spec.ClusterIP+":80")
}

// With publishNotReadyAddresses pods are reached whether they are ready, or end, or not; without it when they are.
//
// e2e: Services :: should create endpoints for unready pods
// e2e: Services :: should be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true
func TestUnreadyPodsArePublished(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	script := "trap : TERM; until [ -e /end ]; do sleep 0.05; done"
	unready := labelled(strings.Replace(podOf("slow", containerOf("main", script, "readinessProbe: {exec: {command: [test, -e, /ready]}, periodSeconds: 1}")),
		"terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 600", 1), "slow")
	b.drop("slow", unready)
	b.drop("client", onePod("client", forever))
	published := func(is bool) string {
		return serviceOf("slow", fmt.Sprintf("publishNotReadyAddresses: %t", is), "selector: {app: slow}", bothProtocols) + "---\n" +
			serviceOf("names", fmt.Sprintf("publishNotReadyAddresses: %t", is), "clusterIP: None", "selector: {app: slow}")
	}
	b.drop("svc", published(true))
	b.answer(b.netnsOf("slow"), "slow", 7000)
	client, front := b.netnsOf("client"), b.service("slow").Spec.ClusterIP+":80"
	b.reached(client, front, "slow")
	b.lookup("client", "names.default.svc.cluster.local", "Address: "+b.pod("slow").Status.PodIP)
	b.drop("svc", published(false))
	b.refused(client, front)
	b.lookup("client", "names.default.svc.cluster.local", "NXDOMAIN")
	b.sh("slow", "main", "touch /ready")
	b.reached(client, front, "slow")
	b.sh("slow", "main", "rm /ready")
	b.refused(client, front)
	b.drop("svc", published(true))
	b.remove("slow")
	b.shows([]string{"slow", "Terminating"}, "get", "pods", "slow")
	b.reached(client, front, "slow")
	b.lookup("client", "names.default.svc.cluster.local", "Address: "+b.pod("slow").Status.PodIP)
	b.sh("slow", "main", "touch /end")
	b.gone("slow")
	b.refused(client, front)
}

// Pods on the host's network may ask podd's name server, with its search list, and reach Services.
//
// e2e: DNS HostNetwork :: should resolve DNS of partial qualified names for services on hostNetwork pods with dnsPolicy: ClusterFirstWithHostNet [LinuxOnly]
// e2e: DNS :: should provide /etc/hosts entries for the cluster
// e2e: DNS :: should support configurable pod DNS nameservers
func TestNamesOnTheHostsNetwork(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("web", labelled(onePod("web", forever, "hostname: front", "subdomain: names"), "web"))
	b.drop("svc", serviceOf("web", "selector: {app: web}", bothProtocols)+"---\n"+serviceOf("names", "clusterIP: None", "selector: {app: web}"))
	b.drop("host", onePod("host", forever, "hostNetwork: true", "dnsPolicy: ClusterFirstWithHostNet"))
	b.answer(b.netnsOf("web"), "web", 7000)
	b.running("host")
	if got := b.sh("host", "main", "cat /etc/resolv.conf"); !strings.HasPrefix(got, "search default.svc.cluster.local svc.cluster.local cluster.local") || !strings.Contains(got, "nameserver "+b.gateway()) {
		t.Errorf("resolv.conf says %s", got)
	}
	b.lookup("host", "web.default.svc.cluster.local", "Address: "+b.service("web").Spec.ClusterIP)
	b.reached(b.Netns(), b.service("web").Spec.ClusterIP+":80", "web")
	ip := b.pod("web").Status.PodIP
	if got := b.sh("web", "main", "cat /etc/hosts"); !hasLine(got, []string{ip, "front.names.default.svc.cluster.local", "front"}) || !hasLine(got, []string{"127.0.0.1", "localhost"}) {
		t.Errorf("hosts says %s", got)
	}
	b.drop("own", onePod("own", forever, "dnsPolicy: None", "dnsConfig: {nameservers: [10.210.0.1], searches: [names.default.svc.cluster.local]}"))
	b.running("own")
	b.lookup("own", "front.names.default.svc.cluster.local", "Address: "+ip)
}
