package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// managed puts the daemon under the stand-in for systemd, which writes down what it is told.
func managed(t *testing.T, options ...string) (harness.Option, func() []string) {
	file := filepath.Join(t.TempDir(), "told")
	told := func() []string {
		data, _ := os.ReadFile(file)
		return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	}
	return func(o *lab.Options) {
		harness.WithFDStore(o)
		o.Manager = append([]string{"--record", file}, options...)
	}, told
}

// await waits until one of the lines after the first from has all words, and returns the number of the line after it.
func await(b *harness.Board, told func() []string, from int, words ...string) int {
	b.T.Helper()
	next := 0
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		lines := told()
		for i := from; i < len(lines); i++ {
			all := true
			for _, w := range words {
				all = all && strings.Contains(lines[i], w)
			}
			if all {
				next = i + 1
				return true, nil
			}
		}
		return false, fmt.Errorf("podd has not told %q but\n%s", words, strings.Join(lines, "\n"))
	}))
	return next
}

// The service manager hears when podd is ready, what its pods do, and how long they may take to end.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	option, told := managed(t)
	b := harness.NewBoard(t, option)
	line := await(b, told, 0, "READY=1", "STATUS=No pods")
	b.MustDrop("app", strings.Replace(harness.OnePod("app", harness.Forever), "terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds: 7", 1))
	b.Running("app")
	line = await(b, told, line, "STATUS=Pods: 1 running")
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	line = await(b, told, line, "RELOADING=1", "MONOTONIC_USEC=")
	line = await(b, told, line, "READY=1", "STATUS=Pods: 1 running")
	b.MustStop()
	line = await(b, told, line, "STOPPING=1", "STATUS=Ending all pods", "EXTEND_TIMEOUT_USEC=37000000\t")
	await(b, told, line, "STOPPING=1")
}

// A loop that comes round feeds the watchdog; one that does not is killed, and its pods live on.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	option, told := managed(t, "--watchdog", "6s")
	b := harness.NewBoard(t, option)
	line := await(b, told, 0, "WATCHDOG=1")
	line = await(b, told, line, "WATCHDOG=1")
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	process, daemon := b.PidOf("app"), b.Pid()
	line = await(b, told, line, "WATCHDOG=1")
	if b.Pid() != daemon {
		t.Fatal("a daemon that fed its watchdog was killed")
	}
	b.Must(unix.Kill(daemon, unix.SIGSTOP))
	await(b, told, line, "READY=1")
	b.Running("app")
	if b.PidOf("app") != process || b.Pid() == daemon {
		t.Errorf("the container is %d and was %d, the daemon %d and was %d", b.PidOf("app"), process, b.Pid(), daemon)
	}
}

// A daemon that cannot start says why and does not spin.
func TestDaemonCannotStart(t *testing.T) {
	t.Parallel()
	option, told := managed(t)
	b := harness.NewEmptyBoard(t, option, harness.WithArgs("--bridge", "a:b"))
	b.Must(b.Start())
	await(b, told, 0, `STATUS=Cannot start: bridge "a:b" cannot be the name of a network interface`)
	if err := b.Stop(harness.Limit); err == nil {
		t.Error("it ends as if all were well")
	}
}

// A configuration that cannot be used is said wherever one looks, and changes nothing.
func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("nodeName: lab\nclusterDomane: x\n")
	const mistake = `config.yaml: line 2: unknown field "clusterDomane": did you mean clusterDomain?`
	option, told := managed(t)
	b := harness.NewBoard(t, option, harness.WithArgs("--config", file))
	line := await(b, told, 0, "READY=1", mistake+"; podd runs with its defaults")
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")

	if _, stderr, _ := b.RunCLI("get", "nodes"); !strings.Contains(stderr, mistake) {
		t.Errorf("podd get nodes says %q", stderr)
	}
	if !strings.Contains(b.CLI("get", "events"), "ConfigRefused") {
		t.Error("no event")
	}
	if !strings.Contains(b.Output(), "configuration refused") {
		t.Error("not in the log")
	}

	reload := func(words ...string) {
		t.Helper()
		b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
		line = await(b, told, line, append([]string{"READY=1"}, words...)...)
	}
	write("podPidsLimit: 64\nbridge: later0\n")
	reload("STATUS=Pods: 1 running\t")
	if !strings.Contains(b.Output(), "keys=bridge") {
		t.Error("the log does not name the setting that waits for a restart")
	}
	var node corev1.Node
	b.Must(b.Get("/api/v1/nodes/lab", &node))
	for _, c := range node.Status.Conditions {
		if c.Type == "podd.dev/ConfigAccepted" {
			t.Errorf("conditions of the node: %+v", node.Status.Conditions)
		}
	}
	write("podPidsLimit: many\n")
	reload("line 1: podPidsLimit must be a whole number")

	// The next daemon finds the same mistake, and what was good before it.
	daemon := b.Pid()
	b.Must(unix.Kill(daemon, unix.SIGUSR1))
	await(b, told, line, "READY=1", "podd keeps to the last good one")
	if links := strings.Join(b.Links(), "\n"); !strings.Contains(links, "later0") {
		t.Errorf("not the last good configuration:\n%s", links)
	}
	b.Running("app")
}
