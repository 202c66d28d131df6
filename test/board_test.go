package test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// limit is how long a test waits for what should take milliseconds: generous, since nothing here measures time. An
// emulated processor needs more: PODD_TEST_LIMIT says how much.
var limit = patience(40 * time.Second)

func patience(usual time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv("PODD_TEST_LIMIT")); err == nil {
		return d
	}
	return usual
}

// Board is one machine with podd on it; its methods fail the test instead of returning errors.
type Board struct {
	*lab.Node
	t *testing.T
}

// option changes how a board is set up.
type option func(*lab.Options)

// withArgs adds arguments to podd run.
func withArgs(args ...string) option {
	return func(o *lab.Options) { o.Args = append(o.Args, args...) }
}

// withFDStore runs the daemon under the stand-in for systemd, which starts it again when it dies.
func withFDStore(o *lab.Options) { o.Standin, o.Restart = suite.standin, true }

// newBoard makes a board with the image of busybox and a running daemon.
func newBoard(t *testing.T, options ...option) *Board {
	t.Helper()
	b := newEmptyBoard(t, options...)
	b.loadImages("busybox.tar")
	b.start()
	return b
}

// newEmptyBoard makes a board without images whose daemon has not been started.
func newEmptyBoard(t *testing.T, options ...option) *Board {
	t.Helper()
	o := lab.Options{Podd: suite.podd, Cgroup: suite.cgroup, Name: strings.ReplaceAll(t.Name(), "/", "-")}
	for _, option := range options {
		option(&o)
	}
	node, err := lab.NewNode(o)
	if err != nil {
		t.Fatal(err)
	}
	b := &Board{Node: node, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("podd said:\n%s", b.Output())
		}
		if err := node.Close(); err != nil {
			t.Errorf("the board does not close: %v", err)
		}
	})
	return b
}

func (b *Board) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *Board) start() {
	b.t.Helper()
	b.must(b.Start())
	b.must(b.Ready(limit))
}

func (b *Board) stop() {
	b.t.Helper()
	b.must(b.Stop(limit))
}

func (b *Board) kill9() {
	b.t.Helper()
	b.must(b.Kill9())
}

func (b *Board) reboot() {
	b.t.Helper()
	b.must(b.Reboot())
}

// loadImages links archives into the folder from which the daemon imports.
func (b *Board) loadImages(files ...string) {
	b.t.Helper()
	for _, file := range files {
		data, err := os.ReadFile(archive(b.t, file))
		b.must(err)
		temp := filepath.Join(b.Images, "."+file)
		b.must(os.WriteFile(temp, data, 0o644))
		b.must(os.Rename(temp, filepath.Join(b.Images, file)))
	}
}

// drop puts a pod into the manifest folder as NAME.yaml.
func (b *Board) drop(name, manifest string) {
	b.t.Helper()
	b.must(b.Drop(name+".yaml", manifest))
}

func (b *Board) remove(name string) {
	b.t.Helper()
	b.must(b.Remove(name + ".yaml"))
}

// wait polls until the pod is as cond wants it; cond says in words what is missing, "" when nothing is.
func (b *Board) wait(name string, cond func(*corev1.Pod) string) *corev1.Pod {
	b.t.Helper()
	return b.waitFor(limit, name, cond)
}

func (b *Board) waitFor(limit time.Duration, name string, cond func(*corev1.Pod) string) *corev1.Pod {
	b.t.Helper()
	var pod *corev1.Pod
	err := lab.Poll(limit, func() (bool, error) {
		var err error
		if pod, err = b.Pod(name); err != nil {
			return false, err
		}
		missing := cond(pod)
		return missing == "", fmt.Errorf("pod %s: %s; its status: %s", name, missing, brief(pod))
	})
	b.must(err)
	return pod
}

// running waits until every container of the pod runs.
func (b *Board) running(name string) *corev1.Pod {
	b.t.Helper()
	return b.wait(name, isRunning)
}

// gone waits until the API no longer knows the pod.
func (b *Board) gone(name string) {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		pod, err := b.Pod(name)
		if err == nil {
			return false, fmt.Errorf("pod %s is still there: %s", name, brief(pod))
		}
		return errors.Is(err, lab.ErrNotFound), err
	}))
}

// pod asks once.
func (b *Board) pod(name string) *corev1.Pod {
	b.t.Helper()
	pod, err := b.Pod(name)
	b.must(err)
	return pod
}

// podd runs a client command and returns its stdout; it must exit with 0.
func (b *Board) podd(args ...string) string {
	b.t.Helper()
	stdout, stderr, code := b.run(args...)
	if code != 0 {
		b.t.Fatalf("podd %s: exit %d: %s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// run runs a client command.
func (b *Board) run(args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	var out, errs bytes.Buffer
	command := b.Podd(args...)
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.String(), errs.String(), exit.ExitCode()
	}
	b.must(err)
	return out.String(), errs.String(), 0
}

// sh runs a script in a container and returns its stdout without the last newline; it must exit with 0.
func (b *Board) sh(pod, container, script string) string {
	b.t.Helper()
	return strings.TrimSuffix(b.podd("exec", pod, "-c", container, "--", "sh", "-c", script), "\n")
}

// logs is a container's log.
func (b *Board) logs(pod string, args ...string) string {
	b.t.Helper()
	return b.podd(append([]string{"logs", pod}, args...)...)
}

// logged waits until a container's log has the text.
func (b *Board) logged(pod, container, text string) {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		stdout, stderr, _ := b.run("logs", pod, "-c", container)
		return strings.Contains(stdout, text), fmt.Errorf("the log of %s/%s lacks %q:\n%s%s", pod, container, text, stdout, stderr)
	}))
}
