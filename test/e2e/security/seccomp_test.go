package security

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// refusedCalls are numbers of system calls that the default profile refuses an ordinary container and that harm nobody if
// they are not refused, for the machine that the test runs on.
func refusedCalls() []string {
	return map[string][]string{
		"amd64": {"165 EPERM", "246 EPERM", "248 EPERM", "249 EPERM", "250 EPERM", "272 EPERM", "298 EPERM", "300 EPERM", "304 EPERM", "308 EPERM", "321 EPERM", "323 EPERM", "425 EPERM", "428 EPERM", "430 EPERM", "435 ENOSYS", "442 EPERM", "1000 ENOSYS"},
		"arm64": {"40 EPERM", "97 EPERM", "104 EPERM", "217 EPERM", "218 EPERM", "219 EPERM", "241 EPERM", "262 EPERM", "265 EPERM", "268 EPERM", "280 EPERM", "282 EPERM", "425 EPERM", "428 EPERM", "430 EPERM", "435 ENOSYS", "442 EPERM", "1000 ENOSYS"},
	}[runtime.GOARCH]
}

// Every container that is not privileged is held by the default profile, and so is what is executed in it: its first
// process, init containers and sidecars, exec, probes and hooks.
//
// e2e: Security Context :: should support seccomp runtime/default [LinuxOnly]
// e2e: Security Context :: should support seccomp default which is unconfined [LinuxOnly] (a kubelet's setting; podd's is the contrary)
func TestSeccompByDefault(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	want := strings.Join(refusedCalls(), "\n")
	var numbers []string
	for _, call := range refusedCalls() {
		nr, _, _ := strings.Cut(call, " ")
		numbers = append(numbers, nr)
	}
	calls := "answerer syscalls " + strings.Join(numbers, " ")
	const mode = "grep ^Seccomp: /proc/self/status | tr -dc 0-9"
	b.MustDrop("web", harness.PodOf("web",
		"initContainers:\n"+harness.ContainerOf("first", mode+` >/dev/termination-log`)+harness.ContainerOf("side", harness.Forever, "restartPolicy: Always"),
		harness.Probed("main", calls+" >/tmp/calls; "+harness.Forever,
			`lifecycle: {postStart: {exec: {command: [sh, -c, "`+mode+` >/tmp/hook"]}}}`,
			`readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "`+mode+` >/tmp/probe && grep -q 1000 /tmp/calls"]}}`)))
	pod := b.WaitPod("web", harness.IsReady("main"))
	if got := b.Sh("web", "main", "cat /tmp/calls"); got != want {
		t.Errorf("the first process gets\n%s\nwant\n%s", got, want)
	}
	if got := b.Sh("web", "main", calls); got != want {
		t.Errorf("a command gets\n%s\nwant\n%s", got, want)
	}
	if got := b.Sh("web", "main", "cat /tmp/hook /tmp/probe"); got != "22" {
		t.Errorf("hook and probe have the modes %q", got)
	}
	if got := b.Sh("web", "side", mode); got != "2" {
		t.Errorf("a sidecar has mode %q", got)
	}
	if ended := pod.Status.InitContainerStatuses[0].State.Terminated; ended == nil || ended.Message != "2" {
		t.Errorf("an init container ended with %+v", ended)
	}
	// And with the next daemon.
	b.MustKill9()
	b.MustStart()
	if got := b.Sh("web", "main", mode); got != "2" {
		t.Errorf("under the next daemon a command has mode %q", got)
	}
}

// What is asked for is what there is: for the container, else the pod, else the node.
//
// e2e: Security Context :: should support seccomp unconfined on the container [LinuxOnly]
// e2e: Security Context :: should support seccomp unconfined on the pod [LinuxOnly]
func TestSeccompAsAsked(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, harness.WithArgs("--config", config))
	profiles := filepath.Join(b.Root, "seccomp")
	b.Must(os.MkdirAll(filepath.Join(profiles, "profiles"), 0o755))
	write := func(name, text string) { b.Must(os.WriteFile(filepath.Join(profiles, name), []byte(text), 0o600)) }
	write("profiles/nomkdir.json", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}`)
	write("broken.json", `{"defaultAction":`)
	write("empty.json", `{}`)
	write("agent.json", `{"defaultAction":"SCMP_ACT_NOTIFY"}`)
	const unconfined, standard = "securityContext: {seccompProfile: {type: Unconfined}}", "securityContext: {seccompProfile: {type: RuntimeDefault}}"
	local := func(name string) string {
		return "securityContext: {seccompProfile: {type: Localhost, localhostProfile: " + name + "}}"
	}
	const mode = "grep ^Seccomp: /proc/self/status | tr -dc 0-9"
	for name, c := range map[string]struct{ pod, container, want string }{
		"pod":        {unconfined, "", "0"},
		"container":  {standard, unconfined, "0"},
		"both":       {unconfined, standard, "2"},
		"privileged": {standard, "securityContext: {privileged: true}", "0"},
		"local":      {"", local("profiles/nomkdir.json"), "2"},
		"users":      {"hostUsers: false", "", "2"},
	} {
		var more []string
		if c.pod != "" {
			more = append(more, c.pod)
		}
		if c.container == "" {
			more = append(more, harness.ContainerOf("main", harness.Forever))
		} else {
			more = append(more, harness.ContainerOf("main", harness.Forever, c.container))
		}
		b.MustDrop(name, harness.PodOf(name, more...))
		b.Running(name)
		for _, process := range []string{"1", "self"} {
			if got := b.Sh(name, "main", strings.ReplaceAll(mode, "self", process)); got != c.want {
				t.Errorf("%s: process %s has mode %q, want %q", name, process, got, c.want)
			}
		}
		if name == "local" {
			if got := b.Sh(name, "main", "mkdir /tmp/x 2>&1 || true"); !strings.Contains(got, "No space left on device") {
				t.Errorf("mkdir says %q", got)
			}
		}
	}
	// What cannot be had is not done without.
	for file, want := range map[string]string{
		"missing.json": "cannot load seccomp profile \"" + profiles + "/missing.json\": open " + profiles + "/missing.json: no such file or directory",
		"broken.json":  "decoding seccomp profile failed \"" + profiles + "/broken.json\": ",
		"empty.json":   "decoding seccomp profile failed \"" + profiles + "/empty.json\": it has neither a defaultAction nor syscalls",
		"agent.json":   "SCMP_ACT_NOTIFY asks an agent of the node",
	} {
		name := strings.TrimSuffix(file, ".json")
		b.MustDrop(name, harness.PodOf(name, harness.ContainerOf("main", harness.Forever, local(file))))
		b.WaitPod(name, func(pod *corev1.Pod) string {
			if w := harness.ContainerStatus(pod, "main").State.Waiting; w != nil && w.Reason == "CreateContainerError" && strings.Contains(w.Message, want) {
				return ""
			}
			return "it does not wait for its profile"
		})
	}
	write("missing.json", `{"defaultAction":"SCMP_ACT_ALLOW"}`)
	b.Running("missing")
	// The node's setting is for those that do not ask.
	b.MustKill9()
	b.Must(os.WriteFile(config, []byte("seccompDefault: false\n"), 0o600))
	b.MustStart()
	b.MustDrop("no-default", harness.PodOf("no-default", harness.ContainerOf("main", harness.Forever)))
	b.MustDrop("asked", harness.PodOf("asked", standard, harness.ContainerOf("main", harness.Forever)))
	b.Running("no-default")
	b.Running("asked")
	for name, want := range map[string]string{"no-default": "0", "asked": "2", "users": "2"} {
		if got := b.Sh(name, "main", mode); got != want {
			t.Errorf("without the default, %s has mode %q, want %q", name, got, want)
		}
	}
}
