package validate

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What the API server takes, or leaves to a kubelet, and podd says at once.
func TestStricter(t *testing.T) {
	checkPods(t, []podRow{
		{"no name", "{metadata: {name: ''}}", []string{"metadata.name: Required value: give the pod a name"}},
		{"no container", "{spec: {containers: []}}", []string{"spec.containers: Required value: write at least one container"}},
		{"a container without a name and an image", "{container: {name: '', image: ''}}", []string{
			"spec.containers[0].name: Required value: give the container a name", "spec.containers[0].image: Required value: write the image to run",
		}},
		{"an image that is none", "{container: {name: c, image: 'a:b:c'}}", []string{
			`spec.containers[0].image: Invalid value: "a:b:c": couldn't parse image name: invalid reference format: a tag has at most 128 letters, digits, _ . and -, and does not start with . or -`,
		}},
		{"an image with a blank before it", "{spec: {initContainers: [{name: i, image: ' x'}]}}", []string{
			`spec.initContainers[0].image: Invalid value: " x": must not have leading or trailing whitespace`,
		}},
		{"an address of the host", "{container: {name: c, image: x, ports: [{containerPort: 1, hostPort: 1, hostIP: 'fe80::1'}, {containerPort: 2, hostPort: 1, hostIP: 127.0.0.1}]}}", nil},
		{"an address of the host that is none", "{container: {name: c, image: x, ports: [{containerPort: 1, hostPort: 1, hostIP: localhost}]}}", []string{
			`spec.containers[0].ports[0].hostIP: Invalid value: "localhost": must be an IPv4 or IPv6 address of the node; remove the field to have the port on all addresses`,
		}},
		{"an address of the host with a link", "{container: {name: c, image: x, ports: [{containerPort: 1, hostPort: 1, hostIP: 'fe80::1%eth0'}]}}", []string{
			`spec.containers[0].ports[0].hostIP: Invalid value: "fe80::1%eth0": must be an IPv4 or IPv6 address of the node; remove the field to have the port on all addresses`,
		}},
		{"a MiB", "{container: {name: c, image: x, resources: {limits: {memory: 1Mi}}}}", nil},
		{"less than a MiB", "{container: {name: c, image: x, resources: {limits: {memory: 512}, requests: {memory: 1}}}}", []string{
			`spec.containers[0].resources.limits[memory]: Invalid value: "512": no container can start with less than 1Mi; 512 means 512 bytes, write 512Mi`,
		}},
		{"thousandths of bytes", "{container: {name: c, image: x, resources: {limits: {memory: 128m}, requests: {memory: 0}}}}", []string{
			`spec.containers[0].resources.limits[memory]: Invalid value: "128m": no container can start with less than 1Mi; 128m means 0.128 bytes, write 128Mi`,
		}},
		{"a limit of no memory is none", "{container: {name: c, image: x, resources: {limits: {memory: 0}}}}", nil},
		{"as many processors as there can be", "{container: {name: c, image: x, resources: {requests: {cpu: 8192}}}}", nil},
		{"more processors", "{container: {name: c, image: x, resources: {requests: {cpu: 10k}}}}", []string{
			`spec.containers[0].resources.requests[cpu]: Invalid value: "10k": no machine has more than 8192 CPUs; 10k means 10000 of them, write 10m (thousandths)`,
		}},
		{"capabilities in three spellings", "{container: {name: c, image: x, securityContext: {capabilities: {add: [NET_ADMIN, cap_sys_time, CAP_BPF], drop: [ALL, all]}}}}", nil},
		{"capabilities that Linux has not", "{container: {name: c, image: x, securityContext: {capabilities: {add: [NETADMIN], drop: [CAP_ALL, '']}}}}", []string{
			`spec.containers[0].securityContext.capabilities.add[0]: Invalid value: "NETADMIN": Linux has no capability of this name; correct its spelling or remove it`,
			`spec.containers[0].securityContext.capabilities.drop[1]: Invalid value: "": Linux has no capability of this name; correct its spelling or remove it`,
		}},
		{"a port of another name", "{container: {name: c, image: x, ports: [{containerPort: 1, name: web}, {containerPort: 2, name: api}, {containerPort: 3}], livenessProbe: {tcpSocket: {port: wbe}}}}", []string{
			`spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: "wbe": port wbe not found: the container's ports are named: web, api`,
		}},
		{"a port of a name where none has one", "{container: {name: c, image: x, ports: [{containerPort: 1}], lifecycle: {preStop: {httpGet: {port: web}}}}}", []string{
			`spec.containers[0].lifecycle.preStop.httpGet.port: Invalid value: "web": port web not found: no port of the container has a name; name one, or write its number`,
		}},
		{"HTTP/2", "{container: {name: c, image: x, livenessProbe: {httpGet: {port: 80, protocol: HTTP2}}, readinessProbe: {grpc: {port: 80, mode: TLS}}}}", nil},
		{"HTTP/2 with TLS, and HTTP/3", "{container: {name: c, image: x, livenessProbe: {httpGet: {port: 80, scheme: HTTPS, protocol: HTTP2}}, readinessProbe: {httpGet: {port: 80, protocol: HTTP3}}}}", []string{
			`spec.containers[0].livenessProbe.httpGet.protocol: Invalid value: "HTTP2": must be used with scheme HTTP: HTTP/2 is spoken in clear text only`,
			`spec.containers[0].readinessProbe.httpGet.protocol: Unsupported value: "HTTP3": supported values: "HTTP1", "HTTP2"`,
		}},
		{"options of mounts", "{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, bindMountOptions: [nodev, noexec, nosuid]}]}}", nil},
		{"options of mounts that are none, and twice", "{spec: {volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, bindMountOptions: [nodev, nodev, exec]}]}}", []string{
			`spec.containers[0].volumeMounts[0].bindMountOptions[1]: Duplicate value: "nodev"`,
			`spec.containers[0].volumeMounts[0].bindMountOptions[2]: Unsupported value: "exec": supported values: "nodev", "noexec", "nosuid"`,
		}},
		{"options of an image's mount", "{spec: {volumes: [{name: v, image: {reference: 'x:1'}}]}, container: {name: c, image: x, volumeMounts: [{name: v, mountPath: /a, bindMountOptions: [nodev]}]}}", []string{
			`spec.containers[0].volumeMounts[0].bindMountOptions: Forbidden: not supported with image volumes`,
		}},
		{"a mount to the host of users of its own", "{spec: {hostUsers: false, volumes: [{name: v, emptyDir: {}}]}, container: {name: c, image: x, securityContext: {privileged: true}, volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]}}", []string{
			"spec.containers[0].volumeMounts[0].mountPropagation: Forbidden: the kernel lets no mount out of a pod with `hostUsers` false; use HostToContainer",
		}},
		{"a mode of an emptyDir", "{spec: {volumes: [{name: v, emptyDir: {mode: 1023}}, {name: w, emptyDir: {mode: 1024}}, {name: x, emptyDir: {mode: -1}}]}}", []string{
			`spec.volumes[1].emptyDir.mode: Invalid value: 1024: must be a number between 0 and 01777 (octal), both inclusive`,
			`spec.volumes[2].emptyDir.mode: Invalid value: -1: must be a number between 0 and 01777 (octal), both inclusive`,
		}},
		{"annotations of podd's own", "{metadata: {name: p, annotations: {podd.dev/rollback: 'yes', podd.dev/log-driver: syslog, podd.dev/node: 'a b', kubernetes.io/ingress-bandwidth: '1'}}}", []string{
			`metadata.annotations[kubernetes.io/ingress-bandwidth]: Invalid value: "1": resource is unreasonably small (< 1kbit)`,
			`metadata.annotations[podd.dev/log-driver]: Unsupported value: "syslog": supported values: "file", "journald"`,
			`metadata.annotations[podd.dev/node]: Invalid value: "a b": must be the name of a node, a list of names, or a label selector such as kubernetes.io/arch=arm64`,
			`metadata.annotations[podd.dev/rollback]: Unsupported value: "yes": supported values: "true", "false"`,
		}},
		{"an annotation of AppArmor that names nobody", "{metadata: {name: p, annotations: {container.apparmor.security.beta.kubernetes.io/x: unconfined}}}", []string{
			`metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]: Invalid value: "x": container not found`,
		}},
		{"an event as an owner", "{metadata: {name: p, ownerReferences: [{apiVersion: v1, kind: Event, name: e, uid: u}]}}", []string{
			`metadata.ownerReferences[0]: Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"u"}: /v1, Kind=Event is disallowed from being an owner`,
		}},
		{"two controllers", "{metadata: {name: p, ownerReferences: [{apiVersion: v1, kind: K, name: a, uid: u, controller: true}, {apiVersion: v1, kind: L, name: b, uid: v, controller: true}]}}", []string{
			`metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"K","name":"a","uid":"u","controller":true},{"apiVersion":"v1","kind":"L","name":"b","uid":"v","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for K/a and L/b`,
		}},
	})
}

// The folder of a pod's logs is NAMESPACE_NAME_UID, and the name of a folder has at most 255 bytes.
func TestPodName(t *testing.T) {
	t.Parallel()
	name := strings.Repeat(strings.Repeat("a", 63)+".", 4)
	for _, namespace := range []string{"default", "n", strings.Repeat("n", 63)} {
		most := 255 - len(namespace) - len("_") - len("_") - len("00000000-0000-0000-0000-000000000000")
		if got := podName(name[:most], namespace); got != nil {
			t.Errorf("%d bytes in %s: %v", most, namespace, got)
		}
		want := fmt.Sprintf("must be no more than %d bytes in namespace %q: the folder of the pod's logs is named after both", most, namespace)
		if got := podName(name[:most+1], namespace); len(got) != 1 || got[0] != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Annotations of an object have 256 KiB in all, keys and values together.
func TestAnnotationsSize(t *testing.T) {
	t.Parallel()
	path := field.NewPath("metadata", "annotations")
	full := map[string]string{"a": strings.Repeat("x", 100<<10), "bc": strings.Repeat("x", 156<<10-3)}
	if errs := Annotations(full, path); len(errs) > 0 {
		t.Errorf("256 KiB: %v", errs[0].Detail)
	}
	full["bc"] += "x"
	if errs := Annotations(full, path); len(errs) != 1 || errs[0].Error() != "metadata.annotations: Too long: may not be more than 262144 bytes" {
		t.Errorf("a byte more: %v", errs)
	}
}

// An overhead is judged like limits, but for what podd has against amounts that no container can start with.
func TestOverhead(t *testing.T) {
	t.Parallel()
	list := func(name corev1.ResourceName, q string) corev1.ResourceList {
		return corev1.ResourceList{name: resource.MustParse(q)}
	}
	for name, tc := range map[string]struct {
		list corev1.ResourceList
		want string
	}{
		"nothing":          {nil, ""},
		"a little memory":  {list("memory", "64"), ""},
		"less than none":   {list("cpu", "-1m"), `overhead.limits[cpu]: Invalid value: "-1m": must be greater than or equal to 0`},
		"an unknown one":   {list("gpu", "1"), `overhead.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`},
		"huge pages alone": {list("hugepages-2Mi", "2Mi"), "overhead: Forbidden: HugePages require cpu or memory"},
	} {
		got := ""
		if errs := Overhead(tc.list, field.NewPath("overhead")); len(errs) > 0 {
			got = errs[0].Error()
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// Nothing that a manifest can say makes the rules panic, and the same pod is judged the same twice.
func TestNeverPanics(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewSource(11))
	words := []string{
		"", "a", "A b", "-", "..", "/", "a/../b", "1", "-1", "0", "9223372036854775807", "1Mi", "true", "ü", "[]", "{}", "null", "None", "Always", "Localhost", "metadata.labels['", "x:y:z",
	}
	texts := []string{
		"{metadata: {name: %s, generateName: %s, namespace: %s, labels: {%s: %s}, annotations: {%s: %s}, finalizers: [%s], ownerReferences: [{apiVersion: %s, kind: %s}]}}",
		"{spec: {restartPolicy: %s, dnsPolicy: %s, hostname: %s, nodeName: %s, os: {name: %s}, runtimeClassName: %s, hostnameOverride: %s, preemptionPolicy: %s, schedulingGates: [{name: %s}, {name: %s}]}}",
		"{container: {name: %s, image: %s, workingDir: %s, imagePullPolicy: %s, env: [{name: %s, value: %s}, {name: %s, valueFrom: {fieldRef: {fieldPath: %s}}}], envFrom: [{prefix: %s, configMapRef: {name: %s}}]}}",
		"{spec: {volumes: [{name: %s, hostPath: {path: %s, type: %s}}, {name: %s, secret: {secretName: %s, items: [{key: %s, path: %s}]}}, {name: %s, image: {reference: %s, pullPolicy: %s}}]}}",
		"{container: {name: c, image: x, volumeMounts: [{name: %s, mountPath: %s, subPath: %s, subPathExpr: %s, mountPropagation: %s}], lifecycle: {preStop: {httpGet: {port: %s, host: %s, path: %s, scheme: %s}}}, terminationMessagePath: %s}}",
		"{spec: {tolerations: [{key: %s, operator: %s, value: %s, effect: %s}], nodeSelector: {%s: %s}, topologySpreadConstraints: [{topologyKey: %s, whenUnsatisfiable: %s, labelSelector: {matchLabels: {%s: %s}}}]}}",
		"{spec: {dnsConfig: {nameservers: [%s, %s], searches: [%s, %s]}, hostAliases: [{ip: %s, hostnames: [%s]}], securityContext: {seccompProfile: {type: %s, localhostProfile: %s}, sysctls: [{name: %s, value: %s}]}}}",
	}
	for range 400 {
		args := make([]any, 10)
		for i := range args {
			args[i] = fmt.Sprintf("%q", words[random.Intn(len(words))])
		}
		text := fmt.Sprintf(texts[random.Intn(len(texts))], args...)
		pod := podOf(t, text)
		before := pod.DeepCopy()
		first, second := Pod(pod).ToAggregate(), Pod(pod).ToAggregate()
		if fmt.Sprint(first) != fmt.Sprint(second) {
			t.Fatalf("%s: %v, then %v", text, first, second)
		}
		if before.String() != pod.String() {
			t.Fatalf("%s: judging has changed the pod", text)
		}
	}
}
