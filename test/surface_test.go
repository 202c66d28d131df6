package test

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
	"podd/test/lab"
)

// What a container says of itself does not reach the operator's terminal as it is: not by podd describe, get and logs of
// the daemon. CVE-2021-25743
// Fails with text passed on as it is (internal/escape).
func TestContainersDoNotWriteOnTheTerminal(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("esc", onePod("esc", `printf '\033[2J\033]0;title\007all is well\r\302\2332J' >/dev/termination-log; exit 3`, "restartPolicy: Never"))
	b.drop("probed", podOf("probed", containerOf("main", forever, "livenessProbe: {periodSeconds: 1, failureThreshold: 99, exec: {command: [sh, -c, \"printf '\\\\033[2Jill\\\\007'; exit 1\"]}}")))
	b.wait("esc", isPhase("Failed"))
	b.happened("probed", "Unhealthy", "ill", 1)
	for _, args := range [][]string{
		{"describe", "pod", "esc"}, {"describe", "pod", "probed"}, {"get", "events"}, {"get", "pods", "-o", "wide"}, {"get", "pods", "-o", "json"}, {"get", "pods", "-o", "yaml"},
	} {
		out := b.podd(args...)
		if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Errorf("podd %v: %q", args, out)
		}
	}
	if out := b.podd("describe", "pod", "esc"); !strings.Contains(out, `^[[2J^[]0;title^Gall is well\r\u009b2J`) {
		t.Errorf("the message is not told:\n%s", out)
	}
	if p := b.pod("esc"); containerStatus(p, "main").State.Terminated.Message != "\x1b[2J\x1b]0;title\aall is well\r\u009b2J" {
		t.Errorf("the message has changed: %q", containerStatus(p, "main").State.Terminated.Message)
	}
	log := b.readFile(filepath.Join(b.Dir, "podd.out"))
	if strings.ContainsFunc(log, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
		t.Errorf("podd's log: %q", log)
	}
}

// A pod that has the logs mounted may put anything in the place of one: podd logs says so, at once, and shows and writes
// nothing that is not a log; and the log goes on. Fails with files opened whatever they are (internal/beneath).
func TestLogsThatAPodHasReplaced(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", "trap 'exit 0' TERM; echo before; while :; do if [ -e /tmp/say ]; then rm /tmp/say; echo after; fi; sleep 0.1; done"))
	b.drop("evil", onePod("evil", forever, "volumes: [{name: logs, hostPath: {path: "+b.Logs+"}}]")+"    volumeMounts: [{name: logs, mountPath: /logs}]\n")
	b.running("app")
	b.running("evil")
	b.logged("app", "main", "before")
	secret := filepath.Join(b.Dir, "secret")
	const line = "2026-01-01T00:00:01.000000000Z stdout F of the board\n"
	b.must(os.WriteFile(secret, []byte(line), 0o600))
	for name, make := range map[string]string{
		"a named pipe": "mkfifo 0.log", "a symbolic link to zeros": "ln -s /dev/zero 0.log", "a symbolic link": "ln -s " + secret + " 0.log", "a folder": "mkdir 0.log",
	} {
		b.sh("evil", "main", "cd /logs/*_app_*/main && rm -rf 0.log && "+make)
		for _, args := range [][]string{{"logs", "app"}, {"logs", "-f", "app"}, {"logs", "app", "--tail", "2"}} {
			stdout, stderr, code := b.run(args...)
			if want := strings.TrimSuffix(name, " to zeros"); code != 1 || stdout != "" || !strings.Contains(stderr, "0.log: it is "+want) {
				t.Errorf("%s: podd %v: exit %d, %q, %q", name, args, code, stdout, stderr)
			}
		}
		b.sh("app", "main", "touch /tmp/say")
		b.logged("app", "main", "after")
		if got := b.readFile(secret); got != line {
			t.Errorf("%s: the board's file has become %q", name, got)
		}
	}
}

// A folder whose file system does not answer keeps nothing from going on but its own changes: podd says so, runs what it
// ran, starts anew, obeys, and goes on when the folder answers.
func TestAFolderThatHangs(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", "echo here; "+forever))
	before := b.running("app")
	told := func(want bool) {
		t.Helper()
		b.must(lab.Poll(time.Minute, func() (bool, error) {
			out, _, code := b.run("get", "nodes", "-o", "json")
			if code != 0 || strings.Contains(out, "podd.dev/ManifestsReadable") != want {
				return false, fmt.Errorf("the node says, want %t: exit %d\n%s", want, code, out)
			}
			return true, nil
		}))
	}
	back := hangtest.Mount(t, b.Manifests)
	told(true)
	if out := b.podd("get", "events"); !strings.Contains(out, "ManifestFolderHangs") || !strings.Contains(out, "does not answer") {
		t.Errorf("no event tells:\n%s", out)
	}
	if out, stderr, code := b.run("logs", "app"); code != 0 || out != "here\n" {
		t.Errorf("logs: exit %d, %q, %q", code, out, stderr)
	}
	if got := b.sh("app", "main", "echo $HOSTNAME"); got != "app" {
		t.Errorf("exec: %q", got)
	}
	b.kill9()
	b.start()
	told(true)
	if after := b.running("app"); after.UID != before.UID || containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
	back()
	told(false)
	b.drop("more", onePod("more", forever))
	b.running("more")
	if after := b.running("app"); containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
}

// One manifest that never answers, or is never at its end, is one sentence; the others go on.
func TestAManifestThatHangs(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	server := filepath.Join(b.Dir, "server")
	b.must(errors.Join(os.Mkdir(server, 0o755), os.WriteFile(filepath.Join(server, "far.yaml"), []byte(onePod("far", forever)), 0o644)))
	b.must(os.Symlink(filepath.Join(server, "far.yaml"), filepath.Join(b.Manifests, "far.yaml")))
	b.running("far")
	back := hangtest.Mount(t, server)
	b.must(os.Symlink("/proc/kmsg", filepath.Join(b.Manifests, "kmsg.yaml")))
	b.must(unix.Mkfifo(filepath.Join(b.Manifests, "pipe.yaml"), 0o600))
	b.drop("app", onePod("app", forever))
	b.running("app")
	b.event("far.yaml: it cannot be read: its file system does not answer")
	b.event("kmsg.yaml: it is a file of the kernel's own")
	b.event("pipe.yaml: it is a named pipe")
	b.running("far")
	b.remove("app")
	b.gone("app")
	back()
	b.must(os.WriteFile(filepath.Join(server, "far.yaml"), []byte(onePod("near", forever)), 0o644))
	b.running("near")
	b.gone("far")
}
