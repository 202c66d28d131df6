package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/harness"
)

// podd diff says beforehand what a file would do to the pod that runs.
func TestDiff(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	limits := "resources: {requests: {memory: 4Mi}, limits: {memory: 160Mi}}"
	manifest := harness.PodOf("app", harness.ContainerOf("main", harness.Forever, limits))
	file := filepath.Join(t.TempDir(), "app.yaml")
	says := func(text, want string, code int) {
		t.Helper()
		b.Must(os.WriteFile(file, []byte(text), 0o600))
		stdout, stderr, got := b.RunCLI("diff", "-f", file)
		if stdout != want || got != code {
			t.Errorf("exit %d: %s%swant exit %d: %s", got, stdout, stderr, code, want)
		}
	}
	says(manifest, "pod/app: new\n", 1)
	b.MustDrop("app", manifest)
	b.Running("app")
	says("# a comment\n"+manifest, "pod/app: unchanged\n", 0)
	says(harness.ReplaceImage(manifest, "podd.test/stopsignal:1"), "pod/app: changed in place: spec.containers[0].image; restarts main\n", 1)
	says(harness.ReplaceIn(t, manifest, "160Mi", "192Mi"), "pod/app: changed in place: spec.containers[0].resources; restarts nothing\n", 1)
	says(harness.ReplaceIn(t, manifest, "  name: app\n", "  name: app\n  labels: {a: b}\n"), "pod/app: changed in place: metadata.labels; restarts nothing\n", 1)
	says(harness.ReplaceIn(t, manifest, "spec:\n", "spec:\n  hostNetwork: true\n"), "pod/app: replaced, because of spec.hostNetwork\n", 1)
	says(harness.ReplaceIn(t, manifest, "command:", "comand:"), "", 2)
	b.MustDrop("job", harness.PodOf("job", "restartPolicy: Never", harness.ContainerOf("main", "exit 0")))
	b.WaitPod("job", harness.IsPhase("Succeeded"))
	says(harness.ReplaceImage(harness.PodOf("job", "restartPolicy: Never", harness.ContainerOf("main", "exit 0")), "podd.test/stopsignal:1"), "pod/job: replaced, because it has ended: spec.containers[0].image\n", 1)
}

// allKinds has an object of each kind that a folder may hold and that podd shows.
const allKinds = `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, namespace: shop, labels: {a: b}}
data: {app.conf: one, other: x}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: hunter2, user: root}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: bare}
spec:
  ports: [{port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: bare-1, labels: {kubernetes.io/service-name: bare}}
addressType: IPv4
endpoints: [{addresses: [192.0.2.1]}]
ports: [{port: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: slow}
provisioner: podd.dev/local
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec: {capacity: {storage: 1Mi}, accessModes: [ReadWriteOnce], hostPath: {path: /tmp}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front}
spec:
  replicas: 0
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec: {containers: [{name: main, image: podd.test/tools:1}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 0
  serviceName: bare
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: podd.test/tools:1}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {nodeSelector: {none: such}, containers: [{name: main, image: podd.test/tools:1}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: night}
spec:
  schedule: 0 3 1 1 *
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: podd.test/tools:1}]}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: podd.test/tools:1}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: some}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: front}}}
`

// podd diff compares every kind, and takes nothing that podd has filled in for a difference.
func TestDiffOfKinds(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	text := allKinds
	file := filepath.Join(t.TempDir(), "all.yaml")
	says := func(text string, code int, want ...string) string {
		t.Helper()
		b.Must(os.WriteFile(file, []byte(text), 0o600))
		stdout, stderr, got := b.RunCLI("diff", "-f", file)
		if got != code || stderr != "" {
			t.Errorf("exit %d, want %d: %s%s", got, code, stdout, stderr)
		}
		for _, w := range want {
			if !strings.Contains(stdout, w+"\n") {
				t.Errorf("%s\nhas no line %q", stdout, w)
			}
		}
		return stdout
	}
	says(text, 1, "configmap/conf in namespace shop: new", "deployment.apps/front: new")
	b.MustDrop("all", text)
	b.Until(func(string) bool { return true }, "diff", "-f", file)
	for _, line := range strings.Split(strings.TrimSpace(says(text, 0)), "\n") {
		if !strings.HasSuffix(line, ": unchanged") {
			t.Error(line)
		}
	}
	for _, c := range []struct{ from, to, want string }{
		{"app.conf: one", "app.conf: two", "configmap/conf in namespace shop: changed: data[app.conf]"},
		{", other: x", ", new: x", "configmap/conf in namespace shop: changed: data[new], data[other]"},
		{"labels: {a: b}", "labels: {a: c}", "configmap/conf in namespace shop: changed: metadata.labels"},
		{"hunter2", "hunter3", "secret/keys: changed: data[password]"},
		{"{port: 80}]\n---\napiVersion: v1", "{port: 81}]\n---\napiVersion: v1", "service/web: changed: spec.ports[0].nodePort, spec.ports[0].port, spec.ports[0].targetPort"},
		{"192.0.2.1", "192.0.2.2", "endpointslice.discovery.k8s.io/bare-1: changed: endpoints[0].addresses"},
		{"policyTypes: [Ingress]", "policyTypes: [Egress]", "networkpolicy.networking.k8s.io/closed: changed: spec.policyTypes"},
		{"storage: 1Mi}}}", "storage: 2Mi}}}", "persistentvolumeclaim/data: changed: spec.resources.requests"},
		{"path: /tmp", "path: /var", "persistentvolume/disk: refused, the version before stays: spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"},
		{"metadata: {labels: {app: front}}\n    spec: {containers: [{name: main", "metadata: {labels: {app: front}}\n    spec: {containers: [{name: other", "deployment.apps/front: changed: spec.template.spec.containers[0].name; its pods get successors"},
		{"schedule: 0 3", "schedule: 0 4", "cronjob.batch/night: changed: spec.schedule"},
	} {
		says(harness.ReplaceIn(t, text, c.from, c.to), 1, c.want)
	}
	elsewhere := "kind: ConfigMap\nmetadata: {name: far, annotations: {podd.dev/node: other-board}}"
	says(text+"---\napiVersion: v1\n"+elsewhere+"\n", 0, "configmap/far: not for this board (podd.dev/node)")
	says(harness.ReplaceIn(t, text, "metadata: {name: robot}", "metadata: {name: robot, annotations: {podd.dev/node: other-board}}"), 1,
		"serviceaccount/robot: removed, because it is now not for this board (podd.dev/node)")
	b.CLI("scale", "deployment/front", "--replicas", "1")
	says(text, 1, "deployment.apps/front: changed: spec.replicas (set by hand)")

	if _, stderr, code := b.RunCLI("diff", "--nonsense"); code != 2 || stderr == "" {
		t.Errorf("a wrong flag: exit %d: %s", code, stderr)
	}
	if _, stderr, code := b.RunCLI("diff"); code != 2 || stderr == "" {
		t.Errorf("nothing to compare: exit %d: %s", code, stderr)
	}
	if _, stderr, code := b.RunCLI("diff", "-f", file, "--socket", "/nonexistent"); code != 2 || stderr == "" {
		t.Errorf("no daemon: exit %d: %s", code, stderr)
	}
}
