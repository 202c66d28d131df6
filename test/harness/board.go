package harness

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

// Limit is how long a test waits for what should take milliseconds: generous, since nothing here measures time. An
// emulated processor needs more: PODD_TEST_LIMIT says how much.
var Limit = patience(40 * time.Second)

func patience(usual time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv("PODD_TEST_LIMIT")); err == nil {
		return d
	}
	return usual
}

// Board is one machine with podd on it; its methods fail the test instead of returning errors.
type Board struct {
	*lab.Node
	T *testing.T
}

// Option changes how a board is set up.
type Option func(*lab.Options)

// WithArgs adds arguments to podd run.
func WithArgs(args ...string) Option {
	return func(o *lab.Options) { o.Args = append(o.Args, args...) }
}

// WithFDStore runs the daemon under the stand-in for systemd, which starts it again when it dies.
func WithFDStore(o *lab.Options) { o.Standin, o.Restart = Suite.standin, true }

// NewBoard makes a board with the image of busybox and a running daemon.
func NewBoard(t *testing.T, options ...Option) *Board {
	t.Helper()
	b := NewEmptyBoard(t, options...)
	b.LoadImages("busybox.tar")
	b.MustStart()
	return b
}

// NewEmptyBoard makes a board without images whose daemon has not been started.
func NewEmptyBoard(t *testing.T, options ...Option) *Board {
	t.Helper()
	o := lab.Options{Podd: Suite.Podd, Cgroup: Suite.Cgroup, Name: strings.ReplaceAll(t.Name(), "/", "-")}
	for _, option := range options {
		option(&o)
	}
	node, err := lab.NewNode(o)
	if err != nil {
		t.Fatal(err)
	}
	b := &Board{Node: node, T: t}
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

func (b *Board) Must(err error) {
	b.T.Helper()
	if err != nil {
		b.T.Fatal(err)
	}
}

func (b *Board) MustStart() {
	b.T.Helper()
	b.Must(b.Start())
	b.Must(b.Ready(Limit))
}

func (b *Board) MustStop() {
	b.T.Helper()
	b.Must(b.Stop(Limit))
}

func (b *Board) MustKill9() {
	b.T.Helper()
	b.Must(b.Kill9())
}

func (b *Board) MustReboot() {
	b.T.Helper()
	b.Must(b.Reboot())
}

// LoadImages links archives into the folder from which the daemon imports.
func (b *Board) LoadImages(files ...string) {
	b.T.Helper()
	for _, file := range files {
		data, err := os.ReadFile(Archive(b.T, file))
		b.Must(err)
		temp := filepath.Join(b.Images, "."+file)
		b.Must(os.WriteFile(temp, data, 0o644))
		b.Must(os.Rename(temp, filepath.Join(b.Images, file)))
	}
}

// MustDrop puts a pod into the manifest folder as NAME.yaml.
func (b *Board) MustDrop(name, manifest string) {
	b.T.Helper()
	b.Must(b.Drop(name+".yaml", manifest))
}

func (b *Board) MustRemove(name string) {
	b.T.Helper()
	b.Must(b.Remove(name + ".yaml"))
}

// WaitPod polls until the pod is as cond wants it; cond says in words what is missing, "" when nothing is.
func (b *Board) WaitPod(name string, cond func(*corev1.Pod) string) *corev1.Pod {
	b.T.Helper()
	return b.WaitFor(Limit, name, cond)
}

func (b *Board) WaitFor(limit time.Duration, name string, cond func(*corev1.Pod) string) *corev1.Pod {
	b.T.Helper()
	var pod *corev1.Pod
	err := lab.Poll(limit, func() (bool, error) {
		var err error
		if pod, err = b.Pod(name); err != nil {
			return false, err
		}
		missing := cond(pod)
		return missing == "", fmt.Errorf("pod %s: %s; its status: %s", name, missing, Brief(pod))
	})
	b.Must(err)
	return pod
}

// Running waits until every container of the pod runs.
func (b *Board) Running(name string) *corev1.Pod {
	b.T.Helper()
	return b.WaitPod(name, IsRunning)
}

// Gone waits until the API no longer knows the pod.
func (b *Board) Gone(name string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		pod, err := b.Pod(name)
		if err == nil {
			return false, fmt.Errorf("pod %s is still there: %s", name, Brief(pod))
		}
		return errors.Is(err, lab.ErrNotFound), err
	}))
}

// MustPod asks once.
func (b *Board) MustPod(name string) *corev1.Pod {
	b.T.Helper()
	pod, err := b.Pod(name)
	b.Must(err)
	return pod
}

// CLI runs a client command and returns its stdout; it must exit with 0.
func (b *Board) CLI(args ...string) string {
	b.T.Helper()
	stdout, stderr, code := b.RunCLI(args...)
	if code != 0 {
		b.T.Fatalf("podd %s: exit %d: %s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// RunCLI runs a client command.
func (b *Board) RunCLI(args ...string) (stdout, stderr string, code int) {
	b.T.Helper()
	var out, errs bytes.Buffer
	command := b.Podd(args...)
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.String(), errs.String(), exit.ExitCode()
	}
	b.Must(err)
	return out.String(), errs.String(), 0
}

// Sh runs a script in a container and returns its stdout without the last newline; it must exit with 0.
func (b *Board) Sh(pod, container, script string) string {
	b.T.Helper()
	return strings.TrimSuffix(b.CLI("exec", pod, "-c", container, "--", "sh", "-c", script), "\n")
}

// LogsOf is a container's log.
func (b *Board) LogsOf(pod string, args ...string) string {
	b.T.Helper()
	return b.CLI(append([]string{"logs", pod}, args...)...)
}

// Logged waits until a container's log has the text.
func (b *Board) Logged(pod, container, text string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		stdout, stderr, _ := b.RunCLI("logs", pod, "-c", container)
		return strings.Contains(stdout, text), fmt.Errorf("the log of %s/%s lacks %q:\n%s%s", pod, container, text, stdout, stderr)
	}))
}
