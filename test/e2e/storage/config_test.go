package storage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// hasLines fails for each line that is not in the pod's log.
func hasLines(b *harness.Board, pod string, want ...string) {
	b.T.Helper()
	got := "\n" + b.LogsOf(pod) + "\n"
	for _, line := range want {
		if !strings.Contains(got, "\n"+line+"\n") {
			b.T.Errorf("no line %q in:\n%s", line, got)
		}
	}
}

// e2e: ConfigMap :: should be consumable via environment variable
// e2e: Downward API :: should provide hostIPs as an env var
// e2e: ConfigMap :: should be consumable as environment variable names with various prefixes
// e2e: Secrets :: should be consumable from pods in env vars
// e2e: Secrets :: should be consumable via the environment
// e2e: Secrets :: should be consumable as environment variable names variable names with various prefixes
// e2e: Downward API :: should provide pod name, namespace and IP address as env vars
// e2e: Downward API :: should provide host IP as an env var
// e2e: Downward API :: should provide pod UID as env vars
// e2e: Downward API :: should provide container's limits.cpu/memory and requests.cpu/memory as env vars
// e2e: Downward API :: should provide default limits.cpu/memory from node allocatable
func TestEnvironmentFromTheFolder(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("cm", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: debug, 1st: first, not.a.name: odd}\n---\n"+
		"apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {user: me, password: 'p$(A)w'}\n")
	b.MustDrop("env", harness.PodOf("env", "restartPolicy: Never", harness.ContainerOf("main", "tr '\\0' '\\n' </proc/1/environ", `resources: {limits: {cpu: 500m, memory: 32Mi}, requests: {memory: 16Mi}}
envFrom:
- configMapRef: {name: settings}
- {prefix: S_, secretRef: {name: keys}}
- {configMapRef: {name: none, optional: true}}
env:
- {name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}
- {name: LEVEL, value: "<$(level)>"}
- {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
- {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
- {name: MEMORY, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}}
`)))
	p := b.WaitPod("env", harness.IsPhase(corev1.PodSucceeded))
	b.Logged("env", "main", "MEMORY=")
	hasLines(b, "env", "level=debug", "1st=first", "not.a.name=odd", "S_user=me", "S_password=p$(A)w", "PASSWORD=p$(A)w", "LEVEL=<debug>",
		"NAME=env", "NAMESPACE=default", "POD_UID="+string(p.UID), "IP="+p.Status.PodIP, "CPU=500", "MEMORY=16")
}

// What a container refers to may come later; a change of it reaches the next start, not the one that runs, and commands
// that are run in the container see what it was started with, even after a restart of podd.
func TestEnvironmentThatComesLater(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	cm := func(data string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: " + data + "\n"
	}
	b.MustDrop("late", harness.PodOf("late", harness.ContainerOf("main", `echo "level=$LEVEL"; trap 'exit 0' TERM; while [ ! -e /go ]; do sleep 0.1; done`,
		"env:\n- {name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}")))
	b.WaitPod("late", harness.IsWaitingFor("CreateContainerConfigError", `configmap "settings" not found`))
	b.MustDrop("cm", cm("{other: x}"))
	b.WaitPod("late", harness.IsWaitingFor("CreateContainerConfigError", "couldn't find key level in ConfigMap default/settings"))
	b.MustDrop("cm", cm("{level: one}"))
	b.Running("late")
	b.Logged("late", "main", "level=one")
	b.MustDrop("cm", cm("{level: two}"))
	b.MustKill9()
	b.MustStart()
	if got := b.Sh("late", "main", "echo $LEVEL"); strings.TrimSpace(got) != "one" {
		t.Errorf("a command sees %q", got)
	}
	b.Sh("late", "main", "touch /go")
	b.Logged("late", "main", "level=two")
}

// podd get shows the folder's objects as kubectl does.
func TestGetConfiguration(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("cm", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: debug, other: x}\n---\n"+
		"apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {user: me}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n")
	b.MustDrop("bad", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {a/b: x}\n")
	b.MustDrop("web", harness.OnePod("web", harness.Forever, "serviceAccountName: robot"))
	b.Running("web")
	for args, want := range map[string]string{
		"get cm settings --no-headers": "settings   2     ",
		"get secret --no-headers":      "keys   Opaque   1     ",
		"get sa -o name":               "serviceaccount/robot\n",
		"get secret keys -o yaml":      "apiVersion: v1\ndata:\n  user: bWU=\nkind: Secret\nmetadata:\n  creationTimestamp: ",
		"get cm settings -o json":      "{\n    \"apiVersion\": \"v1\",\n    \"data\": {\n        \"level\": \"debug\",",
		"get cm,secrets -o name":       "configmap/settings\nsecret/keys\n",
	} {
		if got := b.CLI(strings.Fields(args)...); !strings.HasPrefix(got, want) {
			t.Errorf("podd %s\n%s\nwant\n%s", args, got, want)
		}
	}
	const want = `ConfigMap "bad" is invalid: data[a/b]: Invalid value: "a/b": a valid config key must consist of`
	for _, kind := range []string{"pods", "cm"} {
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			_, stderr, _ := b.RunCLI("get", kind)
			return strings.Contains(stderr, want), fmt.Errorf("podd get %s says %s", kind, stderr)
		}))
	}
}

// A pod that asks for another board waits, with the scheduler's words; a document for another board is none of ours.
func TestOtherBoards(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	const unschedulable = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
	unfit := func(p *corev1.Pod) string {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == "Unschedulable" && c.Message == unschedulable && p.Spec.NodeName == "" {
				return ""
			}
		}
		return "it is not unschedulable"
	}
	affinity := func(expression string) string {
		return "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [" + expression + "]}]}}}"
	}
	b.MustDrop("selects", harness.OnePod("selects", harness.Forever, "nodeSelector: {site: cellar}"))
	b.MustDrop("affine", harness.OnePod("affine", harness.Forever, affinity("{key: kubernetes.io/os, operator: NotIn, values: [linux]}")))
	b.MustDrop("fits", harness.OnePod("fits", harness.Forever, "nodeSelector: {kubernetes.io/os: linux}", affinity("{key: kubernetes.io/arch, operator: Exists}")))
	b.MustDrop("theirs", strings.Replace(harness.OnePod("theirs", harness.Forever), "name: theirs", "name: theirs\n  annotations: {podd.dev/node: elsewhere}", 1))
	b.MustDrop("ours", strings.Replace(harness.OnePod("ours", harness.Forever), "name: ours", "name: ours\n  annotations: {podd.dev/node: kubernetes.io/os=linux}", 1))
	b.Running("fits")
	b.Running("ours")
	b.WaitPod("selects", unfit)
	b.WaitPod("affine", unfit)
	if out, _, _ := b.RunCLI("get", "pods", "-o", "name"); strings.Contains(out, "theirs") {
		t.Errorf("a pod of another board is there:\n%s", out)
	}
}

// A sealed Secret is read by the board that it is sealed for, and by no other; a plain one that everybody can read is
// complained about.
func TestSealedSecret(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	plain := filepath.Join(t.TempDir(), "secret.yaml")
	b.Must(os.WriteFile(plain, []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {password: hunter2}\n"), 0o600))
	sealed := b.CLI("seal", "-f", plain, "--root", b.Root)
	if strings.Contains(sealed, "aHVudGVyMg") || !strings.Contains(sealed, "podd.dev/sealed: age") {
		t.Errorf("not sealed:\n%s", sealed)
	}
	show := harness.ContainerOf("main", "echo password=$PASSWORD", "env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}]")
	foreign := b.CLI("seal", "-f", plain, "--recipient", strings.TrimSpace(b.CLI("seal", "--print-recipient", "--root", t.TempDir())))
	recipient := strings.TrimSpace(b.CLI("seal", "--print-recipient", "--root", b.Root))
	b.MustDrop("keys", foreign)
	b.MustDrop("reads", harness.PodOf("reads", "restartPolicy: Never", show))
	b.WaitPod("reads", harness.IsWaitingFor("CreateContainerConfigError", `secret "keys" cannot be opened: it is sealed for other boards; seal it for `+recipient+", which is this one"))
	b.MustDrop("mounts", harness.PodOf("mounts", "volumes: [{name: v, secret: {secretName: keys, optional: true}}]\n", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}")))
	b.Event(`MountVolume.SetUp failed for volume "v" : secret "keys" cannot be opened: it is sealed for other boards; seal it for ` + recipient)
	b.MustDrop("keys", sealed)
	b.Running("mounts")
	if got := b.Sh("mounts", "main", "cat /v/password"); got != "hunter2" {
		t.Errorf("the volume has %q", got)
	}
	b.WaitPod("reads", harness.IsPhase(corev1.PodSucceeded))
	b.Logged("reads", "main", "password=hunter2")
	b.MustDrop("open", "apiVersion: v1\nkind: Secret\nmetadata: {name: open}\nstringData: {password: x}\n")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		events := b.CLI("get", "events")
		return strings.Contains(events, "can be read by every user of this machine"), errors.New(events)
	}))
}

// A token says who the pod is, for the audience that it asks for, and can be checked with the board's keys.
func TestServiceAccountToken(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("sa", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n")
	b.MustDrop("token", harness.PodOf("token", "serviceAccountName: robot", "automountServiceAccountToken: true",
		"volumes:\n- {name: own, projected: {sources: [{serviceAccountToken: {path: vault, audience: vault, expirationSeconds: 600}}]}}",
		harness.ContainerOf("main", harness.Forever, "volumeMounts: [{name: own, mountPath: /own}]")))
	p := b.Running("token")
	const folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
	if got := b.Sh("token", "main", "cat "+folder+"namespace"); strings.TrimSpace(got) != "default" {
		t.Errorf("namespace %q", got)
	}
	var keys struct{ Keys []map[string]string }
	b.Must(b.Get("/openid/v1/jwks", &keys))
	var discovery struct{ Issuer string }
	b.Must(b.Get("/.well-known/openid-configuration", &discovery))
	for path, audience := range map[string]string{folder + "token": discovery.Issuer, "/own/vault": "vault"} {
		parts := strings.Split(strings.TrimSpace(b.Sh("token", "main", "cat "+path)), ".")
		head, err := base64.RawURLEncoding.DecodeString(parts[0])
		b.Must(err)
		if len(keys.Keys) != 1 || !strings.Contains(string(head), keys.Keys[0]["kid"]) {
			t.Errorf("%s: keys %v, head %s", path, keys, head)
		}
		body, err := base64.RawURLEncoding.DecodeString(parts[1])
		b.Must(err)
		for _, want := range []string{`"aud":["` + audience + `"]`, `"sub":"system:serviceaccount:default:robot"`, `"pod":{"name":"token","uid":"` + string(p.UID) + `"}`} {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s lacks %s: %s", path, want, body)
			}
		}
	}
}

// An init container writes variables for the one after it; a file that is a link out of the volume is not read.
func TestEnvironmentFromAFile(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	pod := func(name, script string) string {
		return harness.PodOf(name, "restartPolicy: Never", "volumes: [{name: vars, emptyDir: {}}]",
			"initContainers:\n"+harness.ContainerOf("init", script, "volumeMounts: [{name: vars, mountPath: /vars}]"),
			harness.ContainerOf("main", "echo got=$GOT", "env: [{name: GOT, valueFrom: {fileKeyRef: {volumeName: vars, path: env, key: WORD}}}]"))
	}
	b.MustDrop("file", pod("file", "echo \"WORD='hello'\" >/vars/env"))
	b.WaitPod("file", harness.IsPhase(corev1.PodSucceeded))
	b.Logged("file", "main", "got=hello")
	b.MustDrop("link", pod("link", "ln -s /etc/passwd /vars/env"))
	b.WaitPod("link", func(p *corev1.Pod) string {
		for _, s := range p.Status.ContainerStatuses {
			if w := s.State.Waiting; w != nil && w.Reason == "CreateContainerConfigError" {
				return ""
			}
		}
		return "the container does not wait"
	})
}
