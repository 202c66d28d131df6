package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// A first pod in one line: it is shown what it writes, it ends as its command does, and nothing of it is left.
func TestRunAPod(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	out, stderr, code := b.RunCLI("run", "hello", "--manifests", b.Manifests, "--image=busybox", "--image-pull-policy=Never", "--rm", "--command", "--", "sh", "-c", "echo hello; exit 3")
	if code != 3 || !strings.Contains(out, "hello\n") {
		t.Fatalf("%d: %s%s", code, out, stderr)
	}
	if left, err := filepath.Glob(filepath.Join(b.Manifests, "hello*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if _, stderr, code := b.RunCLI("run", "stays", "--manifests", b.Manifests, "--image=busybox", "--image-pull-policy=Never", "--command", "--", "sleep", "1000"); code != 0 {
		t.Fatal(stderr)
	}
	b.Running("stays")
	if err := os.Remove(filepath.Join(b.Manifests, "stays.yaml")); err != nil {
		t.Fatal(err)
	}
}

// A shell in one line: what is typed reaches it, the pod goes with the session, and its exit code is podd's.
func TestRunATerminal(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	tty, err := lab.OpenTerminal(40, 200)
	b.Must(err)
	defer tty.Close()
	command := b.Podd("run", "-it", "--rm", "shell", "--manifests", b.Manifests, "--image=busybox", "--image-pull-policy=Never", "--", "sh")
	b.Must(tty.Start(command))
	ended := make(chan int, 1)
	go func() { _ = command.Wait(); ended <- command.ProcessState.ExitCode() }()
	b.Must(tty.Expect(harness.Limit, "try pressing enter"))
	tty.Send("echo typed$((1+1)); exit 4\n")
	b.Must(tty.Expect(harness.Limit, "typed2", "pod default/shell terminated (Error)"))
	if code := within(t, ended); code != 4 {
		t.Errorf("it ends with %d", code)
	}
	b.Gone("shell")
	// Without a terminal, too; the end of stdin is the container's.
	command = b.Podd("run", "-i", "--rm", "-q", "count", "--manifests", b.Manifests, "--image=busybox", "--image-pull-policy=Never", "--command", "--", "sh", "-c", "sleep 1; wc -c")
	command.Stdin = strings.NewReader("four")
	if out, err := command.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "4" {
		t.Errorf("%s, %v", out, err)
	}
}

// The first pod in one line may need a field that no flag is of, a Service, and an end of waiting.
func TestRunExposedAndOverridden(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	run := []string{"run", "web", "--manifests", b.Manifests, "--image=busybox", "--image-pull-policy=Never", "--port=80", "--expose"}
	overrides := `{"spec":{"containers":[{"name":"main","image":"busybox","imagePullPolicy":"Never","command":["sh","-c","echo hello; sleep 1000"]}]}}`
	if out, stderr, code := b.RunCLI(append(run, "--overrides="+overrides)...); code != 0 || out != "service/web created\npod/web created\n" {
		t.Fatalf("%d: %s%s", code, out, stderr)
	}
	b.Running("web")
	b.Until(func(out string) bool { return strings.Contains(out, ":80") }, "get", "endpoints", "web")
	_, stderr, code := b.RunCLI("run", "late", "--manifests", b.Manifests, "--image=podd.test/none:1", "--image-pull-policy=Never", "--rm", "--attach", "--restart=Never", "--pod-running-timeout=1s")
	if code == 0 || !strings.Contains(stderr, "container late of pod default/late does not run after 1s") {
		t.Errorf("%d: %s", code, stderr)
	}
	b.Gone("late")
}
