package lifecycle

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A dropped file becomes a running pod with an address, which answers there; the file's removal ends it.
//
// e2e: Networking :: Granular Checks: Pods :: should function for node-pod communication: http
// e2e: Kubelet :: when scheduling a busybox command in a pod :: should print the output to logs
// e2e: MirrorPod :: when create a mirror pod without changes :: should successfully recreate when file is removed and recreated
func TestFirstPod(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	web := harness.PodOf("web",
		harness.ContainerOf("httpd", "mkdir /www; echo hello from $(hostname) >/www/index.html; exec httpd -f -p 8080 -h /www"),
		harness.ContainerOf("sidecar", "echo sidecar is up; "+harness.Forever))
	b.MustDrop("web", web)
	pod := b.Running("web")

	addr, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil || !addr.Is4() {
		t.Fatalf("pod IP is %q: %v", pod.Status.PodIP, err)
	}
	if ips := pod.Status.PodIPs; len(ips) != 2 || ips[0].IP != pod.Status.PodIP || !netip.MustParseAddr(ips[1].IP).Is6() {
		t.Errorf("podIPs are %v, podIP is %s", pod.Status.PodIPs, pod.Status.PodIP)
	}
	if pod.Status.Phase != corev1.PodRunning {
		t.Errorf("phase is %s", pod.Status.Phase)
	}
	if got := harness.Get(b, "http://"+pod.Status.PodIP+":8080/"); got != "hello from web\n" {
		t.Errorf("the pod answers %q", got)
	}
	b.Logged("web", "sidecar", "sidecar is up")
	if got := b.Sh("web", "sidecar", "wget -qO- http://127.0.0.1:8080/"); got != "hello from web" {
		t.Errorf("over the pod's localhost: %q", got)
	}

	b.MustRemove("web")
	b.Gone("web")
	b.MustDrop("web", web)
	again := b.Running("web")
	if again.Status.PodIP == pod.Status.PodIP {
		t.Errorf("address %s was used again at once", pod.Status.PodIP)
	}
}

// Containers of a pod share the network, IPC and UTS namespaces and /dev/shm; their roots and processes are their own.
//
// e2e: Networking :: Granular Checks: Pods :: should function for intra-pod communication: udp
// e2e: Hostname of Pod :: a pod without subdomain field does not have FQDN
func TestContainersOfAPodShare(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("shared", harness.PodOf("shared", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)))
	b.Running("shared")
	for _, ns := range []string{"net", "ipc", "uts"} {
		one, two := b.Sh("shared", "one", "readlink /proc/1/ns/"+ns), b.Sh("shared", "two", "readlink /proc/1/ns/"+ns)
		if one != two || one == "" {
			t.Errorf("%s namespaces are %q and %q", ns, one, two)
		}
	}
	for _, ns := range []string{"mnt", "pid"} {
		one, two := b.Sh("shared", "one", "readlink /proc/1/ns/"+ns), b.Sh("shared", "two", "readlink /proc/1/ns/"+ns)
		if one == two {
			t.Errorf("both containers are in %s namespace %q", ns, one)
		}
	}
	b.Sh("shared", "one", "echo over shm >/dev/shm/note; echo own >/own")
	if got := b.Sh("shared", "two", "cat /dev/shm/note; ls /own 2>/dev/null || true"); !strings.HasPrefix(got, "over shm") || strings.Contains(got, "/own") {
		t.Errorf("the second container sees %q", got)
	}
	if got := b.Sh("shared", "two", "hostname"); got != "shared" {
		t.Errorf("hostname is %q", got)
	}
}

// Two pods reach each other's addresses, and not each other's localhost.
//
// e2e: Networking :: Granular Checks: Pods :: should function for intra-pod communication: http
func TestPodsReachEachOther(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("server", harness.OnePod("server", "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www"))
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	server := b.Running("server")
	b.Running("client")
	harness.Get(b, "http://"+server.Status.PodIP+"/")
	if got := b.Sh("client", "main", "wget -qO- http://"+server.Status.PodIP+"/"); got != "served" {
		t.Errorf("the client got %q", got)
	}
	if _, _, code := b.RunCLI("exec", "client", "--", "wget", "-qO-", "http://127.0.0.1/"); code == 0 {
		t.Error("the client reached the server at its own localhost")
	}
}

// The files about names are podd's and right.
//
// e2e: KubeletManagedEtcHosts :: should test kubelet managed /etc/hosts file
// e2e: Kubelet :: when scheduling an agnhost Pod with hostAliases :: should write entries to /etc/hosts
func TestNamesInsideAPod(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("names", harness.OnePod("names", harness.Forever, "hostAliases:\n- ip: 10.1.2.3\n  hostnames: [far.example, further.example]"))
	pod := b.Running("names")
	hosts := b.Sh("names", "main", "cat /etc/hosts")
	for _, want := range [][]string{{"127.0.0.1", "localhost"}, {pod.Status.PodIP, "names"}, {"10.1.2.3", "far.example", "further.example"}} {
		if !harness.HasLine(hosts, want) {
			t.Errorf("/etc/hosts lacks %v:\n%s", want, hosts)
		}
	}
	if got := b.Sh("names", "main", "cat /etc/hostname"); got != "names" {
		t.Errorf("/etc/hostname is %q", got)
	}
	if _, stderr, code := b.RunCLI("exec", "names", "--", "cat", "/etc/resolv.conf"); code != 0 {
		t.Errorf("no /etc/resolv.conf: %s", stderr)
	}
}

// A pod in the node's network has the node's namespace and name, and no address from the pod range.
func TestHostNetwork(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("host", harness.OnePod("host", "exec httpd -f -p 8099 -h /etc", "hostNetwork: true"))
	pod := b.Running("host")
	if got := harness.Get(b, "http://127.0.0.1:8099/passwd"); !strings.Contains(got, "root") {
		t.Errorf("the node's localhost answers %q", got)
	}
	if pod.Status.PodIP != pod.Status.HostIP {
		t.Errorf("podIP is %q, hostIP is %q", pod.Status.PodIP, pod.Status.HostIP)
	}
}
