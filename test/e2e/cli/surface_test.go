package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"podd/internal/hostfile/hangtest"
	"podd/test/harness"
	"podd/test/lab"
)

// What a container says of itself does not reach the operator's terminal as it is: not by podd describe, get and logs of
// the daemon. CVE-2021-25743
// Fails with text passed on as it is (internal/escape).
func TestContainersDoNotWriteOnTheTerminal(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("esc", harness.OnePod("esc", `printf '\033[2J\033]0;title\007all is well\r\302\2332J' >/dev/termination-log; exit 3`, "restartPolicy: Never"))
	b.MustDrop("probed", harness.PodOf("probed", harness.ContainerOf("main", harness.Forever, "livenessProbe: {periodSeconds: 1, failureThreshold: 99, exec: {command: [sh, -c, \"printf '\\\\033[2Jill\\\\007'; exit 1\"]}}")))
	b.WaitPod("esc", harness.IsPhase("Failed"))
	b.Happened("probed", "Unhealthy", "ill", 1)
	for _, args := range [][]string{
		{"describe", "pod", "esc"}, {"describe", "pod", "probed"}, {"get", "events"}, {"get", "pods", "-o", "wide"}, {"get", "pods", "-o", "json"}, {"get", "pods", "-o", "yaml"},
	} {
		out := b.CLI(args...)
		if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Errorf("podd %v: %q", args, out)
		}
	}
	if out := b.CLI("describe", "pod", "esc"); !strings.Contains(out, `^[[2J^[]0;title^Gall is well\r\u009b2J`) {
		t.Errorf("the message is not told:\n%s", out)
	}
	if p := b.MustPod("esc"); harness.ContainerStatus(p, "main").State.Terminated.Message != "\x1b[2J\x1b]0;title\aall is well\r\u009b2J" {
		t.Errorf("the message has changed: %q", harness.ContainerStatus(p, "main").State.Terminated.Message)
	}
	log := b.ReadFile(filepath.Join(b.Dir, "podd.out"))
	if strings.ContainsFunc(log, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
		t.Errorf("podd's log: %q", log)
	}
}

// A pod that has the logs mounted may put anything in the place of one: podd logs says so, at once, and shows and writes
// nothing that is not a log; and the log goes on. Fails with files opened whatever they are (internal/beneath).
func TestLogsThatAPodHasReplaced(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "trap 'exit 0' TERM; echo before; while :; do if [ -e /tmp/say ]; then rm /tmp/say; echo after; fi; sleep 0.1; done"))
	b.MustDrop("evil", harness.OnePod("evil", harness.Forever, "volumes: [{name: logs, hostPath: {path: "+b.Logs+"}}]")+"    volumeMounts: [{name: logs, mountPath: /logs}]\n")
	b.Running("app")
	b.Running("evil")
	b.Logged("app", "main", "before")
	secret := filepath.Join(b.Dir, "secret")
	const line = "2026-01-01T00:00:01.000000000Z stdout F of the board\n"
	b.Must(os.WriteFile(secret, []byte(line), 0o600))
	for name, make := range map[string]string{
		"a named pipe": "mkfifo 0.log", "a symbolic link to zeros": "ln -s /dev/zero 0.log", "a symbolic link": "ln -s " + secret + " 0.log", "a folder": "mkdir 0.log",
	} {
		b.Sh("evil", "main", "cd /logs/*_app_*/main && rm -rf 0.log && "+make)
		for _, args := range [][]string{{"logs", "app"}, {"logs", "-f", "app"}, {"logs", "app", "--tail", "2"}} {
			stdout, stderr, code := b.RunCLI(args...)
			if want := strings.TrimSuffix(name, " to zeros"); code != 1 || stdout != "" || !strings.Contains(stderr, "0.log: it is "+want) {
				t.Errorf("%s: podd %v: exit %d, %q, %q", name, args, code, stdout, stderr)
			}
		}
		b.Sh("app", "main", "touch /tmp/say")
		b.Logged("app", "main", "after")
		if got := b.ReadFile(secret); got != line {
			t.Errorf("%s: the board's file has become %q", name, got)
		}
	}
}

// A folder whose file system does not answer keeps nothing from going on but its own changes: podd says so, runs what it
// ran, starts anew, obeys, and goes on when the folder answers.
func TestAFolderThatHangs(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo here; "+harness.Forever))
	before := b.Running("app")
	told := func(want bool) {
		t.Helper()
		b.Must(lab.Poll(time.Minute, func() (bool, error) {
			out, _, code := b.RunCLI("get", "nodes", "-o", "json")
			if code != 0 || strings.Contains(out, "podd.dev/ManifestsReadable") != want {
				return false, fmt.Errorf("the node says, want %t: exit %d\n%s", want, code, out)
			}
			return true, nil
		}))
	}
	back := hangtest.Mount(t, b.Manifests)
	told(true)
	if out := b.CLI("get", "events"); !strings.Contains(out, "ManifestFolderHangs") || !strings.Contains(out, "does not answer") {
		t.Errorf("no event tells:\n%s", out)
	}
	if out, stderr, code := b.RunCLI("logs", "app"); code != 0 || out != "here\n" {
		t.Errorf("logs: exit %d, %q, %q", code, out, stderr)
	}
	if got := b.Sh("app", "main", "echo $HOSTNAME"); got != "app" {
		t.Errorf("exec: %q", got)
	}
	b.MustKill9()
	b.MustStart()
	told(true)
	if after := b.Running("app"); after.UID != before.UID || harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
	back()
	told(false)
	b.MustDrop("more", harness.OnePod("more", harness.Forever))
	b.Running("more")
	if after := b.Running("app"); harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
}

// One manifest that never answers, or is never at its end, is one sentence; the others go on.
func TestAManifestThatHangs(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	server := filepath.Join(b.Dir, "server")
	b.Must(errors.Join(os.Mkdir(server, 0o755), os.WriteFile(filepath.Join(server, "far.yaml"), []byte(harness.OnePod("far", harness.Forever)), 0o644)))
	b.Must(os.Symlink(filepath.Join(server, "far.yaml"), filepath.Join(b.Manifests, "far.yaml")))
	b.Running("far")
	back := hangtest.Mount(t, server)
	b.Must(os.Symlink("/proc/kmsg", filepath.Join(b.Manifests, "kmsg.yaml")))
	b.Must(unix.Mkfifo(filepath.Join(b.Manifests, "pipe.yaml"), 0o600))
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	b.Event("far.yaml: it cannot be read: its file system does not answer")
	b.Event("kmsg.yaml: it is a file of the kernel's own")
	b.Event("pipe.yaml: it is a named pipe")
	b.Running("far")
	b.MustRemove("app")
	b.Gone("app")
	back()
	b.Must(os.WriteFile(filepath.Join(server, "far.yaml"), []byte(harness.OnePod("near", harness.Forever)), 0o644))
	b.Running("near")
	b.Gone("far")
}
