package test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
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
	b := newProbedBoard(t)
	want := strings.Join(refusedCalls(), "\n")
	var numbers []string
	for _, call := range refusedCalls() {
		nr, _, _ := strings.Cut(call, " ")
		numbers = append(numbers, nr)
	}
	calls := "answerer syscalls " + strings.Join(numbers, " ")
	const mode = "grep ^Seccomp: /proc/self/status | tr -dc 0-9"
	b.drop("web", podOf("web",
		"initContainers:\n"+containerOf("first", mode+` >/dev/termination-log`)+containerOf("side", forever, "restartPolicy: Always"),
		probed("main", calls+" >/tmp/calls; "+forever,
			`lifecycle: {postStart: {exec: {command: [sh, -c, "`+mode+` >/tmp/hook"]}}}`,
			`readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "`+mode+` >/tmp/probe && grep -q 1000 /tmp/calls"]}}`)))
	pod := b.wait("web", isReady("main"))
	if got := b.sh("web", "main", "cat /tmp/calls"); got != want {
		t.Errorf("the first process gets\n%s\nwant\n%s", got, want)
	}
	if got := b.sh("web", "main", calls); got != want {
		t.Errorf("a command gets\n%s\nwant\n%s", got, want)
	}
	if got := b.sh("web", "main", "cat /tmp/hook /tmp/probe"); got != "22" {
		t.Errorf("hook and probe have the modes %q", got)
	}
	if got := b.sh("web", "side", mode); got != "2" {
		t.Errorf("a sidecar has mode %q", got)
	}
	if ended := pod.Status.InitContainerStatuses[0].State.Terminated; ended == nil || ended.Message != "2" {
		t.Errorf("an init container ended with %+v", ended)
	}
	// And with the next daemon.
	b.kill9()
	b.start()
	if got := b.sh("web", "main", mode); got != "2" {
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
	b := newBoard(t, withArgs("--config", config))
	profiles := filepath.Join(b.Root, "seccomp")
	b.must(os.MkdirAll(filepath.Join(profiles, "profiles"), 0o755))
	write := func(name, text string) { b.must(os.WriteFile(filepath.Join(profiles, name), []byte(text), 0o600)) }
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
			more = append(more, containerOf("main", forever))
		} else {
			more = append(more, containerOf("main", forever, c.container))
		}
		b.drop(name, podOf(name, more...))
		b.running(name)
		for _, process := range []string{"1", "self"} {
			if got := b.sh(name, "main", strings.ReplaceAll(mode, "self", process)); got != c.want {
				t.Errorf("%s: process %s has mode %q, want %q", name, process, got, c.want)
			}
		}
		if name == "local" {
			if got := b.sh(name, "main", "mkdir /tmp/x 2>&1 || true"); !strings.Contains(got, "No space left on device") {
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
		b.drop(name, podOf(name, containerOf("main", forever, local(file))))
		b.wait(name, func(pod *corev1.Pod) string {
			if w := containerStatus(pod, "main").State.Waiting; w != nil && w.Reason == "CreateContainerError" && strings.Contains(w.Message, want) {
				return ""
			}
			return "it does not wait for its profile"
		})
	}
	write("missing.json", `{"defaultAction":"SCMP_ACT_ALLOW"}`)
	b.running("missing")
	// The node's setting is for those that do not ask.
	b.kill9()
	b.must(os.WriteFile(config, []byte("seccompDefault: false\n"), 0o600))
	b.start()
	b.drop("no-default", podOf("no-default", containerOf("main", forever)))
	b.drop("asked", podOf("asked", standard, containerOf("main", forever)))
	b.running("no-default")
	b.running("asked")
	for name, want := range map[string]string{"no-default": "0", "asked": "2", "users": "2"} {
		if got := b.sh(name, "main", mode); got != want {
			t.Errorf("without the default, %s has mode %q, want %q", name, got, want)
		}
	}
}
