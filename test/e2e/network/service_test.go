package network

import (
	"fmt"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// served waits until a pod gets one of the answers from a port of a name. The whole name is looked up first: the
// tests' busybox is static, and has no search list.
func served(b *harness.Board, pod, name, port string, want ...string) {
	b.T.Helper()
	url := name + ":" + port
	script := "ip=$(nslookup -type=a " + name + " | sed -n '1,2d;s/^Address: //p' | head -n 1); exec timeout 3 wget -qO- http://$ip:" + port + "/"
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		out, stderr, _ := b.RunCLI("exec", pod, "--", "sh", "-c", script)
		for _, w := range want {
			if strings.TrimSpace(out) == w {
				return true, nil
			}
		}
		return false, fmt.Errorf("%s answers %q%s, want %q", url, out, stderr, want)
	}))
}

// A Service is found by name, by variables and on the node, leads to ready pods only, and keeps its address over a reboot.
//
// e2e: Services :: should serve a basic endpoint from pods
// e2e: Services :: should be able to create a functioning NodePort service
// e2e: Services :: should find a service from all namespaces
// e2e: DNS :: should provide DNS for services
// e2e: DNS :: should resolve DNS of partial qualified names for services [LinuxOnly]
// e2e: Pods :: should contain environment variables for services
// e2e: EndpointSlice :: should create Endpoints and EndpointSlices for Pods matching a Service
func TestServiceLeadsToPods(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("svc", harness.ServiceOf("web", "type: NodePort", "selector: {app: web}", "ports: [{name: http, port: 80, targetPort: web}]"))
	b.MustDrop("one", harness.Serving("one", "web"))
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	one := b.Running("one")
	b.Running("client")
	served(b, "client", "web.default.svc.cluster.local", "80", "one")
	served(b, "client", "web.default.svc.cluster.local", "80", "one")
	ip, ports := b.Column(2, "svc", "web"), b.Column(4, "svc", "web")
	if got := b.Sh("client", "main", "echo $WEB_SERVICE_HOST $WEB_SERVICE_PORT $WEB_PORT_80_TCP"); got != ip+" 80 tcp://"+ip+":80" {
		t.Errorf("variables say %q, address %s", got, ip)
	}
	b.Lookup("client", ip, "name = web.default.svc.cluster.local")
	node, _, _ := strings.Cut(strings.TrimPrefix(ports, "80:"), "/")
	harness.Get(b, "http://"+gateway(b)+":"+node+"/")
	if got := b.Column(1, "ep", "web"); got != one.Status.PodIP+":8080" {
		t.Errorf("endpoints are %s", got)
	}
	b.MustDrop("two", harness.Serving("two", "web"))
	b.Running("two")
	served(b, "client", "web.default.svc.cluster.local", "80", "two")
	b.MustRemove("one")
	b.Gone("one")
	for range 10 {
		served(b, "client", "web.default.svc.cluster.local", "80", "two")
	}
	b.MustReboot()
	b.MustStart()
	b.Running("client")
	if again, now := b.Column(2, "svc", "web"), b.Column(4, "svc", "web"); again != ip || now != ports {
		t.Errorf("address and ports were %s %s and are %s %s", ip, ports, again, now)
	}
	served(b, "client", "web.default.svc.cluster.local", "80", "two")
}

// gateway is the node's address on the pods' bridge.
func gateway(b *harness.Board) string { return "10.210.0.1" }

// Headless Services give each pod a name; pods find each other by hostname and subdomain, and named ports by SRV.
//
// e2e: DNS :: should provide DNS for pods for Hostname
// e2e: DNS :: should provide DNS for pods for Subdomain
// e2e: DNS :: should provide DNS for ExternalName services
func TestHeadlessServiceNamesPods(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("svc", harness.ServiceOf("db", "clusterIP: None", "selector: {app: db}", "ports: [{name: sql, port: 5432, targetPort: web}]")+
		"---\n"+harness.ServiceOf("alias", "type: ExternalName", "externalName: db.default.svc.cluster.local"))
	b.MustDrop("db-0", harness.Serving("db-0", "db", "hostname: zero\nsubdomain: db"))
	pod := b.Running("db-0")
	b.Lookup("db-0", "zero.db.default.svc.cluster.local", "Address: "+pod.Status.PodIP)
	b.Lookup("db-0", "db.default.svc.cluster.local", "Address: "+pod.Status.PodIP)
	b.Lookup("db-0", "alias.default.svc.cluster.local", "Address: "+pod.Status.PodIP)
	b.Lookup("db-0", pod.Status.PodIP, "name = zero.db.default.svc.cluster.local")
	served(b, "db-0", "zero.db.default.svc.cluster.local", "8080", "zero")
	if got := b.Sh("db-0", "main", "nslookup -type=srv _sql._tcp.db.default.svc.cluster.local"); !strings.Contains(got, "8080 zero.db.default.svc.cluster.local") {
		t.Errorf("SRV says %s", got)
	}
}

// The documentation's example of init containers that wait for Services, as it is printed there.
// https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#init-containers-in-use
func TestInitContainersWaitForServices(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.LoadImages("variants.tar")
	b.MustDrop("myapp", `apiVersion: v1
kind: Pod
metadata:
  name: myapp-pod
  labels:
    app.kubernetes.io/name: MyApp
spec:
  containers:
  - name: myapp-container
    image: busybox:1.28
    command: ['sh', '-c', 'echo The app is running! && sleep 3600']
  initContainers:
  - name: init-myservice
    image: busybox:1.28
    command: ['sh', '-c', "until nslookup myservice.$(cat /var/run/secrets/kubernetes.io/serviceaccount/namespace).svc.cluster.local; do echo waiting for myservice; sleep 2; done"]
  - name: init-mydb
    image: busybox:1.28
    command: ['sh', '-c', "until nslookup mydb.$(cat /var/run/secrets/kubernetes.io/serviceaccount/namespace).svc.cluster.local; do echo waiting for mydb; sleep 2; done"]
`)
	b.Logged("myapp-pod", "init-myservice", "waiting for myservice")
	b.MustDrop("services", `---
apiVersion: v1
kind: Service
metadata:
  name: myservice
spec:
  ports:
  - protocol: TCP
    port: 80
    targetPort: 9376
---
apiVersion: v1
kind: Service
metadata:
  name: mydb
spec:
  ports:
  - protocol: TCP
    port: 80
    targetPort: 9377
`)
	b.Running("myapp-pod")
	b.Logged("myapp-pod", "myapp-container", "The app is running!")
	b.Event("the Service has no selector")
}

// What is wrong with one Service is a sentence, and the others are fine.
//
// e2e: Services :: should prevent NodePort collisions
// e2e: Services :: should check NodePort out-of-range
func TestBadServicesAreSentences(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("a-good", harness.ServiceOf("good", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, targetPort: web, nodePort: 30080}]"))
	b.MustDrop("b-taken", harness.ServiceOf("taken", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, nodePort: 30080}]"))
	b.MustDrop("c-range", harness.ServiceOf("range", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, nodePort: 80}]"))
	b.MustDrop("d-far", harness.ServiceOf("far", "clusterIP: 192.0.2.1", "selector: {app: web}", "ports: [{port: 80}]"))
	b.MustDrop("pod", harness.Serving("one", "web"))
	b.Running("one")
	b.Event("provided port is already allocated to Service default/good")
	b.Event("provided port is not in the valid range. The range of valid ports is 30000-32767")
	b.Event("192.0.2.1 is not within the networks of Services")
	served(b, "one", "good.default.svc.cluster.local", "80", "one")
}
