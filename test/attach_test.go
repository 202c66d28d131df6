package test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// A shell on a terminal: clients come and go, more than one at once, and podd dies; the shell goes on, and does not notice.
func TestAttachTerminal(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withFDStore)
	b.drop("shell", podOf("shell", containerOf("main", "exec sh", "stdin: true\ntty: true")))
	b.running("shell")
	attach := func() (*lab.Terminal, chan int) {
		t.Helper()
		tty, err := lab.OpenTerminal(33, 111)
		b.must(err)
		t.Cleanup(func() { tty.Close() })
		command := b.Podd("attach", "-it", "shell")
		b.must(tty.Start(command))
		ended := make(chan int, 1)
		go func() { _ = command.Wait(); ended <- command.ProcessState.ExitCode() }()
		b.must(tty.Expect(limit, "try pressing enter"))
		// The client says this before the daemon has let it in; the shell answers who is in.
		tty.Send("\n")
		b.must(tty.Expect(limit, "/ # "))
		return tty, ended
	}
	first, gone := attach()
	first.Send("KEPT=yes; stty size; echo one$((0+1))\n")
	b.must(first.Expect(limit, "33 111", "one1"))
	second, left := attach()
	first.Send("echo two$((1+1))\n")
	b.must(second.Expect(limit, "two2"))
	second.Send("\x10\x11")
	if code := within(t, left); code != 0 {
		t.Errorf("a client that detaches ends with %d", code)
	}
	b.kill9()
	if code := within(t, gone); code != 1 {
		t.Errorf("without a daemon the client ends with %d", code)
	}
	b.must(first.Expect(limit, "error: the daemon is gone, and the session with it"))
	b.must(b.Ready(limit))
	third, _ := attach()
	third.Send("echo $KEPT-$((1+2))\n")
	b.must(third.Expect(limit, "yes-3"))
	b.logged("shell", "main", "two2")
	third.Send("exit\n")
	b.wait("shell", func(p *corev1.Pod) string {
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
	case <-time.After(limit):
		t.Fatal("the session does not end")
		return 0
	}
}

// stdinOnce ends with the first client, not with podd; kubectl is that client where there is one.
//
// e2e: [sig-cli] Kubectl client :: Simple pod :: should support inline execution and attach
func TestAttachStdinOnce(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withFDStore)
	b.drop("once", podOf("once", containerOf("main", "cat; echo stdin closed; exec sleep 1000", "stdin: true\nstdinOnce: true")))
	b.running("once")
	b.kill9()
	b.must(b.Ready(limit))
	command := b.Podd("attach", "-i", "once")
	if kubectl, err := exec.LookPath("kubectl"); err == nil {
		command = exec.Command(kubectl, "--server", "http://"+b.overTCP(), "attach", "-i", "once")
		command.Env = append(command.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	}
	stdin, err := command.StdinPipe()
	b.must(err)
	seen, err := os.Create(filepath.Join(t.TempDir(), "seen"))
	b.must(err)
	defer seen.Close()
	command.Stdout, command.Stderr = seen, seen
	sees := func(text string) {
		t.Helper()
		b.must(lab.Poll(limit, func() (bool, error) {
			data, err := os.ReadFile(seen.Name())
			return strings.Contains(string(data), text), errors.Join(err, fmt.Errorf("the client shows %q", data))
		}))
	}
	b.must(command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	_, err = io.WriteString(stdin, "abcd1234\n")
	b.must(err)
	sees("\nabcd1234\n")
	if strings.Contains(b.logs("once"), "stdin closed") {
		t.Error("stdin has ended too early")
	}
	b.must(stdin.Close())
	sees("stdin closed")
	if got := b.running("once"); got.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("%+v", got.Status)
	}
}

// overTCP is an address by which programs that do not speak to sockets reach the daemon.
func (b *Board) overTCP() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	b.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			daemon, err := net.Dial("unix", b.Socket)
			if err != nil {
				client.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{client, daemon}, {daemon, client}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					way[0].Close()
				}()
			}
		}
	}()
	return l.Addr().String()
}
