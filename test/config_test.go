package test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// isWaitingFor waits until the pod's first container waits for a reason, with a sentence.
func isWaitingFor(reason, message string) func(*corev1.Pod) string {
	return func(p *corev1.Pod) string {
		for _, s := range p.Status.ContainerStatuses {
			if w := s.State.Waiting; w != nil && w.Reason == reason && w.Message == message {
				return ""
			}
		}
		return "no container waits for " + reason + ": " + message
	}
}

// hasLines fails for each line that is not in the pod's log.
func (b *Board) hasLines(pod string, want ...string) {
	b.t.Helper()
	got := "\n" + b.logs(pod) + "\n"
	for _, line := range want {
		if !strings.Contains(got, "\n"+line+"\n") {
			b.t.Errorf("no line %q in:\n%s", line, got)
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
	b := newBoard(t)
	b.drop("cm", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: debug, 1st: first, not.a.name: odd}\n---\n"+
		"apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {user: me, password: 'p$(A)w'}\n")
	b.drop("env", podOf("env", "restartPolicy: Never", containerOf("main", "tr '\\0' '\\n' </proc/1/environ", `resources: {limits: {cpu: 500m, memory: 32Mi}, requests: {memory: 16Mi}}
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
	p := b.wait("env", isPhase(corev1.PodSucceeded))
	b.logged("env", "main", "MEMORY=")
	b.hasLines("env", "level=debug", "1st=first", "not.a.name=odd", "S_user=me", "S_password=p$(A)w", "PASSWORD=p$(A)w", "LEVEL=<debug>",
		"NAME=env", "NAMESPACE=default", "POD_UID="+string(p.UID), "IP="+p.Status.PodIP, "CPU=500", "MEMORY=16")
}

// What a container refers to may come later; a change of it reaches the next start, not the one that runs, and commands
// that are run in the container see what it was started with, even after a restart of podd.
func TestEnvironmentThatComesLater(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	cm := func(data string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: " + data + "\n"
	}
	b.drop("late", podOf("late", containerOf("main", `echo "level=$LEVEL"; trap 'exit 0' TERM; while [ ! -e /go ]; do sleep 0.1; done`,
		"env:\n- {name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}")))
	b.wait("late", isWaitingFor("CreateContainerConfigError", `configmap "settings" not found`))
	b.drop("cm", cm("{other: x}"))
	b.wait("late", isWaitingFor("CreateContainerConfigError", "couldn't find key level in ConfigMap default/settings"))
	b.drop("cm", cm("{level: one}"))
	b.running("late")
	b.logged("late", "main", "level=one")
	b.drop("cm", cm("{level: two}"))
	b.kill9()
	b.start()
	if got := b.sh("late", "main", "echo $LEVEL"); strings.TrimSpace(got) != "one" {
		t.Errorf("a command sees %q", got)
	}
	b.sh("late", "main", "touch /go")
	b.logged("late", "main", "level=two")
}

// podd get shows the folder's objects as kubectl does.
func TestGetConfiguration(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("cm", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: debug, other: x}\n---\n"+
		"apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {user: me}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n")
	b.drop("bad", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {a/b: x}\n")
	b.drop("web", onePod("web", forever, "serviceAccountName: robot"))
	b.running("web")
	for args, want := range map[string]string{
		"get cm settings --no-headers": "settings   2     ",
		"get secret --no-headers":      "keys   Opaque   1     ",
		"get sa -o name":               "serviceaccount/robot\n",
		"get secret keys -o yaml":      "apiVersion: v1\ndata:\n  user: bWU=\nkind: Secret\nmetadata:\n  creationTimestamp: ",
		"get cm settings -o json":      "{\n    \"apiVersion\": \"v1\",\n    \"data\": {\n        \"level\": \"debug\",",
		"get cm,secrets -o name":       "configmap/settings\nsecret/keys\n",
	} {
		if got := b.podd(strings.Fields(args)...); !strings.HasPrefix(got, want) {
			t.Errorf("podd %s\n%s\nwant\n%s", args, got, want)
		}
	}
	const want = `ConfigMap "bad" is invalid: data[a/b]: Invalid value: "a/b": a valid config key must consist of`
	for _, kind := range []string{"pods", "cm"} {
		b.must(lab.Poll(limit, func() (bool, error) {
			_, stderr, _ := b.run("get", kind)
			return strings.Contains(stderr, want), fmt.Errorf("podd get %s says %s", kind, stderr)
		}))
	}
}

// A pod that asks for another board waits, with the scheduler's words; a document for another board is none of ours.
func TestOtherBoards(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
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
	b.drop("selects", onePod("selects", forever, "nodeSelector: {site: cellar}"))
	b.drop("affine", onePod("affine", forever, affinity("{key: kubernetes.io/os, operator: NotIn, values: [linux]}")))
	b.drop("fits", onePod("fits", forever, "nodeSelector: {kubernetes.io/os: linux}", affinity("{key: kubernetes.io/arch, operator: Exists}")))
	b.drop("theirs", strings.Replace(onePod("theirs", forever), "name: theirs", "name: theirs\n  annotations: {podd.dev/node: elsewhere}", 1))
	b.drop("ours", strings.Replace(onePod("ours", forever), "name: ours", "name: ours\n  annotations: {podd.dev/node: kubernetes.io/os=linux}", 1))
	b.running("fits")
	b.running("ours")
	b.wait("selects", unfit)
	b.wait("affine", unfit)
	if out, _, _ := b.run("get", "pods", "-o", "name"); strings.Contains(out, "theirs") {
		t.Errorf("a pod of another board is there:\n%s", out)
	}
}

// A sealed Secret is read by the board that it is sealed for, and by no other; a plain one that everybody can read is
// complained about.
func TestSealedSecret(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	plain := filepath.Join(t.TempDir(), "secret.yaml")
	b.must(os.WriteFile(plain, []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {password: hunter2}\n"), 0o600))
	sealed := b.podd("seal", "-f", plain, "--root", b.Root)
	if strings.Contains(sealed, "aHVudGVyMg") || !strings.Contains(sealed, "podd.dev/sealed: age") {
		t.Errorf("not sealed:\n%s", sealed)
	}
	show := containerOf("main", "echo password=$PASSWORD", "env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}]")
	foreign := b.podd("seal", "-f", plain, "--recipient", strings.TrimSpace(b.podd("seal", "--print-recipient", "--root", t.TempDir())))
	recipient := strings.TrimSpace(b.podd("seal", "--print-recipient", "--root", b.Root))
	b.drop("keys", foreign)
	b.drop("reads", podOf("reads", "restartPolicy: Never", show))
	b.wait("reads", isWaitingFor("CreateContainerConfigError", `secret "keys" cannot be opened: it is sealed for other boards; seal it for `+recipient+", which is this one"))
	b.drop("mounts", podOf("mounts", "volumes: [{name: v, secret: {secretName: keys, optional: true}}]\n", mounting("main", forever, "{name: v, mountPath: /v}")))
	b.event(`MountVolume.SetUp failed for volume "v" : secret "keys" cannot be opened: it is sealed for other boards; seal it for ` + recipient)
	b.drop("keys", sealed)
	b.running("mounts")
	if got := b.sh("mounts", "main", "cat /v/password"); got != "hunter2" {
		t.Errorf("the volume has %q", got)
	}
	b.wait("reads", isPhase(corev1.PodSucceeded))
	b.logged("reads", "main", "password=hunter2")
	b.drop("open", "apiVersion: v1\nkind: Secret\nmetadata: {name: open}\nstringData: {password: x}\n")
	b.must(lab.Poll(limit, func() (bool, error) {
		events := b.podd("get", "events")
		return strings.Contains(events, "can be read by every user of this machine"), errors.New(events)
	}))
}

// A token says who the pod is, for the audience that it asks for, and can be checked with the board's keys.
func TestServiceAccountToken(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("sa", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n")
	b.drop("token", podOf("token", "serviceAccountName: robot", "automountServiceAccountToken: true",
		"volumes:\n- {name: own, projected: {sources: [{serviceAccountToken: {path: vault, audience: vault, expirationSeconds: 600}}]}}",
		containerOf("main", forever, "volumeMounts: [{name: own, mountPath: /own}]")))
	p := b.running("token")
	const folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
	if got := b.sh("token", "main", "cat "+folder+"namespace"); strings.TrimSpace(got) != "default" {
		t.Errorf("namespace %q", got)
	}
	var keys struct{ Keys []map[string]string }
	b.must(b.Get("/openid/v1/jwks", &keys))
	var discovery struct{ Issuer string }
	b.must(b.Get("/.well-known/openid-configuration", &discovery))
	for path, audience := range map[string]string{folder + "token": discovery.Issuer, "/own/vault": "vault"} {
		parts := strings.Split(strings.TrimSpace(b.sh("token", "main", "cat "+path)), ".")
		head, err := base64.RawURLEncoding.DecodeString(parts[0])
		b.must(err)
		if len(keys.Keys) != 1 || !strings.Contains(string(head), keys.Keys[0]["kid"]) {
			t.Errorf("%s: keys %v, head %s", path, keys, head)
		}
		body, err := base64.RawURLEncoding.DecodeString(parts[1])
		b.must(err)
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
	b := newBoard(t)
	pod := func(name, script string) string {
		return podOf(name, "restartPolicy: Never", "volumes: [{name: vars, emptyDir: {}}]",
			"initContainers:\n"+containerOf("init", script, "volumeMounts: [{name: vars, mountPath: /vars}]"),
			containerOf("main", "echo got=$GOT", "env: [{name: GOT, valueFrom: {fileKeyRef: {volumeName: vars, path: env, key: WORD}}}]"))
	}
	b.drop("file", pod("file", "echo \"WORD='hello'\" >/vars/env"))
	b.wait("file", isPhase(corev1.PodSucceeded))
	b.logged("file", "main", "got=hello")
	b.drop("link", pod("link", "ln -s /etc/passwd /vars/env"))
	b.wait("link", func(p *corev1.Pod) string {
		for _, s := range p.Status.ContainerStatuses {
			if w := s.State.Waiting; w != nil && w.Reason == "CreateContainerConfigError" {
				return ""
			}
		}
		return "the container does not wait"
	})
}
