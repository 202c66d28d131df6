package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// A shell on a terminal: clients come and go, more than one at once, and podd dies; the shell goes on, and does not notice.
func TestAttachTerminal(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithFDStore)
	b.MustDrop("shell", harness.PodOf("shell", harness.ContainerOf("main", "exec sh", "stdin: true\ntty: true")))
	b.Running("shell")
	attach := func() (*lab.Terminal, chan int) {
		t.Helper()
		tty, err := lab.OpenTerminal(33, 111)
		b.Must(err)
		t.Cleanup(func() { tty.Close() })
		command := b.Podd("attach", "-it", "shell")
		b.Must(tty.Start(command))
		ended := make(chan int, 1)
		go func() { _ = command.Wait(); ended <- command.ProcessState.ExitCode() }()
		b.Must(tty.Expect(harness.Limit, "try pressing enter"))
		// The client says this before the daemon has let it in; the shell answers who is in.
		tty.Send("\n")
		b.Must(tty.Expect(harness.Limit, "/ # "))
		return tty, ended
	}
	first, gone := attach()
	first.Send("KEPT=yes; stty size; echo one$((0+1))\n")
	b.Must(first.Expect(harness.Limit, "33 111", "one1"))
	second, left := attach()
	first.Send("echo two$((1+1))\n")
	b.Must(second.Expect(harness.Limit, "two2"))
	second.Send("\x10\x11")
	if code := within(t, left); code != 0 {
		t.Errorf("a client that detaches ends with %d", code)
	}
	b.MustKill9()
	if code := within(t, gone); code != 1 {
		t.Errorf("without a daemon the client ends with %d", code)
	}
	b.Must(first.Expect(harness.Limit, "error: the daemon is gone, and the session with it"))
	b.Must(b.Ready(harness.Limit))
	third, _ := attach()
	third.Send("echo $KEPT-$((1+2))\n")
	b.Must(third.Expect(harness.Limit, "yes-3"))
	b.Logged("shell", "main", "two2")
	third.Send("exit\n")
	b.WaitPod("shell", func(p *corev1.Pod) string {
		if s := p.Status.ContainerStatuses[0]; s.RestartCount != 1 {
			return fmt.Sprintf("%+v", s)
		}
		return ""
	})
}

func within(t *testing.T, ended chan int) int {
	t.Helper()
	select {
	case code := <-ended:
		return code
	case <-time.After(harness.Limit):
		t.Fatal("the session does not end")
		return 0
	}
}

// stdinOnce ends with the first client, not with podd; kubectl is that client where there is one.
//
// e2e: [sig-cli] Kubectl client :: Simple pod :: should support inline execution and attach
func TestAttachStdinOnce(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithFDStore)
	b.MustDrop("once", harness.PodOf("once", harness.ContainerOf("main", "cat; echo stdin closed; exec sleep 1000", "stdin: true\nstdinOnce: true")))
	b.Running("once")
	b.MustKill9()
	b.Must(b.Ready(harness.Limit))
	command := b.Podd("attach", "-i", "once")
	if kubectl, err := exec.LookPath("kubectl"); err == nil {
		command = exec.Command(kubectl, "--server", "http://"+b.OverTCP(), "attach", "-i", "once")
		command.Env = append(command.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	}
	stdin, err := command.StdinPipe()
	b.Must(err)
	seen, err := os.Create(filepath.Join(t.TempDir(), "seen"))
	b.Must(err)
	defer seen.Close()
	command.Stdout, command.Stderr = seen, seen
	sees := func(text string) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			data, err := os.ReadFile(seen.Name())
			return strings.Contains(string(data), text), errors.Join(err, fmt.Errorf("the client shows %q", data))
		}))
	}
	b.Must(command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	_, err = io.WriteString(stdin, "abcd1234\n")
	b.Must(err)
	sees("\nabcd1234\n")
	if strings.Contains(b.LogsOf("once"), "stdin closed") {
		t.Error("stdin has ended too early")
	}
	b.Must(stdin.Close())
	sees("stdin closed")
	if got := b.Running("once"); got.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("%+v", got.Status)
	}
}
