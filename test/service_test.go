package test

import (
	"fmt"
	"strings"
	"testing"

	"podd/test/lab"
)

// serviceOf is the manifest of a Service; fields are those of its spec.
func serviceOf(name string, fields ...string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  " + strings.Join(fields, "\n  ") + "\n"
}

// serving is a pod that says its own name over HTTP on a port called web.
func serving(name, app string, fields ...string) string {
	main := containerOf("main", "mkdir /www; hostname >/www/index.html; exec httpd -f -p 8080 -h /www", "ports: [{name: web, containerPort: 8080}]")
	manifest := podOf(name, append(fields, main)...)
	return strings.Replace(manifest, "metadata:\n", "metadata:\n  labels: {app: "+app+"}\n", 1)
}

// served waits until a pod gets one of the answers from a port of a name. The whole name is looked up first: the
// tests' busybox is static, and has no search list.
func (b *Board) served(pod, name, port string, want ...string) {
	b.t.Helper()
	url := name + ":" + port
	script := "ip=$(nslookup -type=a " + name + " | sed -n '1,2d;s/^Address: //p' | head -n 1); exec timeout 3 wget -qO- http://$ip:" + port + "/"
	b.must(lab.Poll(limit, func() (bool, error) {
		out, stderr, _ := b.run("exec", pod, "--", "sh", "-c", script)
		for _, w := range want {
			if strings.TrimSpace(out) == w {
				return true, nil
			}
		}
		return false, fmt.Errorf("%s answers %q%s, want %q", url, out, stderr, want)
	}))
}

// column is a field of one line of podd get.
func (b *Board) column(n int, args ...string) string {
	b.t.Helper()
	fields := strings.Fields(b.podd(append([]string{"get"}, append(args, "--no-headers")...)...))
	if len(fields) <= n {
		return ""
	}
	return fields[n]
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
	b := newBoard(t)
	b.drop("svc", serviceOf("web", "type: NodePort", "selector: {app: web}", "ports: [{name: http, port: 80, targetPort: web}]"))
	b.drop("one", serving("one", "web"))
	b.drop("client", onePod("client", forever))
	one := b.running("one")
	b.running("client")
	b.served("client", "web.default.svc.cluster.local", "80", "one")
	b.served("client", "web.default.svc.cluster.local", "80", "one")
	ip, ports := b.column(2, "svc", "web"), b.column(4, "svc", "web")
	if got := b.sh("client", "main", "echo $WEB_SERVICE_HOST $WEB_SERVICE_PORT $WEB_PORT_80_TCP"); got != ip+" 80 tcp://"+ip+":80" {
		t.Errorf("variables say %q, address %s", got, ip)
	}
	b.lookup("client", ip, "name = web.default.svc.cluster.local")
	node, _, _ := strings.Cut(strings.TrimPrefix(ports, "80:"), "/")
	get(b, "http://"+b.gateway()+":"+node+"/")
	if got := b.column(1, "ep", "web"); got != one.Status.PodIP+":8080" {
		t.Errorf("endpoints are %s", got)
	}
	b.drop("two", serving("two", "web"))
	b.running("two")
	b.served("client", "web.default.svc.cluster.local", "80", "two")
	b.remove("one")
	b.gone("one")
	for range 10 {
		b.served("client", "web.default.svc.cluster.local", "80", "two")
	}
	b.reboot()
	b.start()
	b.running("client")
	if again, now := b.column(2, "svc", "web"), b.column(4, "svc", "web"); again != ip || now != ports {
		t.Errorf("address and ports were %s %s and are %s %s", ip, ports, again, now)
	}
	b.served("client", "web.default.svc.cluster.local", "80", "two")
}

// gateway is the node's address on the pods' bridge.
func (b *Board) gateway() string { return "10.210.0.1" }

// Headless Services give each pod a name; pods find each other by hostname and subdomain, and named ports by SRV.
//
// e2e: DNS :: should provide DNS for pods for Hostname
// e2e: DNS :: should provide DNS for pods for Subdomain
// e2e: DNS :: should provide DNS for ExternalName services
func TestHeadlessServiceNamesPods(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("svc", serviceOf("db", "clusterIP: None", "selector: {app: db}", "ports: [{name: sql, port: 5432, targetPort: web}]")+
		"---\n"+serviceOf("alias", "type: ExternalName", "externalName: db.default.svc.cluster.local"))
	b.drop("db-0", serving("db-0", "db", "hostname: zero\nsubdomain: db"))
	pod := b.running("db-0")
	b.lookup("db-0", "zero.db.default.svc.cluster.local", "Address: "+pod.Status.PodIP)
	b.lookup("db-0", "db.default.svc.cluster.local", "Address: "+pod.Status.PodIP)
	b.lookup("db-0", "alias.default.svc.cluster.local", "Address: "+pod.Status.PodIP)
	b.lookup("db-0", pod.Status.PodIP, "name = zero.db.default.svc.cluster.local")
	b.served("db-0", "zero.db.default.svc.cluster.local", "8080", "zero")
	if got := b.sh("db-0", "main", "nslookup -type=srv _sql._tcp.db.default.svc.cluster.local"); !strings.Contains(got, "8080 zero.db.default.svc.cluster.local") {
		t.Errorf("SRV says %s", got)
	}
}

// The documentation's example of init containers that wait for Services, as it is printed there.
// https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#init-containers-in-use
func TestInitContainersWaitForServices(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.loadImages("variants.tar")
	b.drop("myapp", `apiVersion: v1
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
	b.logged("myapp-pod", "init-myservice", "waiting for myservice")
	b.drop("services", `---
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
	b.running("myapp-pod")
	b.logged("myapp-pod", "myapp-container", "The app is running!")
	b.event("the Service has no selector")
}

// What is wrong with one Service is a sentence, and the others are fine.
//
// e2e: Services :: should prevent NodePort collisions
// e2e: Services :: should check NodePort out-of-range
func TestBadServicesAreSentences(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("a-good", serviceOf("good", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, targetPort: web, nodePort: 30080}]"))
	b.drop("b-taken", serviceOf("taken", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, nodePort: 30080}]"))
	b.drop("c-range", serviceOf("range", "type: NodePort", "selector: {app: web}", "ports: [{port: 80, nodePort: 80}]"))
	b.drop("d-far", serviceOf("far", "clusterIP: 192.0.2.1", "selector: {app: web}", "ports: [{port: 80}]"))
	b.drop("pod", serving("one", "web"))
	b.running("one")
	b.event("provided port is already allocated to Service default/good")
	b.event("provided port is not in the valid range. The range of valid ports is 30000-32767")
	b.event("192.0.2.1 is not within the networks of Services")
	b.served("one", "good.default.svc.cluster.local", "80", "one")
}
