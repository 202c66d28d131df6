package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
	"podd/runtime/api/stream"
)

const attachNotes = "All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.\n" +
	"If you don't see a command prompt, try pressing enter.\n"

// attachSocket serves pods whose containers say who they are and repeat what they are sent.
func attachSocket(t *testing.T) string {
	f := apitest.New(apitest.Pod("a"), apitest.Pod("in", func(p *corev1.Pod) { p.Spec.Containers[0].Stdin = true }),
		apitest.Pod("tty", func(p *corev1.Pod) { p.Spec.Containers[0].Stdin, p.Spec.Containers[0].TTY = true, true }),
		apitest.Pod("done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		apitest.Pod("two", func(p *corev1.Pod) {
			p.Spec.Containers = []corev1.Container{{Name: "one"}, {Name: "slow"}}
			p.Status.ContainerStatuses = []corev1.ContainerStatus{apitest.Running("one"), apitest.Running("slow")}
		}))
	f.OnAttach = func(_ context.Context, container string, s stream.Streams) error {
		if container == "slow" {
			return api.AsBadRequest(errors.New("too slow"))
		}
		fmt.Fprint(s.Stdout, container, ":")
		if s.Stderr != nil {
			fmt.Fprint(s.Stderr, "err\n")
		}
		if s.Stdin == nil {
			return nil
		}
		_, err := io.Copy(s.Stdout, s.Stdin)
		return err
	}
	return apitest.Serve(t, f)
}

func TestAttach(t *testing.T) {
	socket := attachSocket(t)
	tests := []invocation{
		{"attach a", "", result{"app:", attachNotes + "err\n", 0}},
		{"attach pod/a -q", "", result{"app:", "err\n", 0}},
		{"attach -i in", "to and fro", result{"app:to and fro", attachNotes + "err\n", 0}},
		{"attach in", "unread", result{"app:", attachNotes + "err\n", 0}},
		{"attach -i a", "unread", result{"app:", "error: Unable to use stdin - container app has none: its stdin is not true\n" + attachNotes + "err\n", 0}},
		{"attach -t a", "", result{"app:", "error: Unable to use a TTY - container app did not allocate one\n" + attachNotes + "err\n", 0}},
		{"attach -it tty", "x", result{"app:x", "Unable to use a TTY - input is not a terminal or the right kind of file\n" + attachNotes, 0}},
		{"attach two", "", result{"one:", "Defaulted container \"one\" out of: one, slow\n" + attachNotes + "err\n", 0}},
		{"attach two -c slow", "", result{"", attachNotes + "error: too slow\n", 1}},
		{"attach two -c none", "", result{"", "error: cannot attach to the container: container none not found in pod two\n", 1}},
		{"attach done", "", result{"", "error: cannot attach a container in a completed pod; current phase is Succeeded\n", 1}},
		{"attach b", "", result{"", "Error from server (NotFound): pods \"b\" not found\n", 1}},
	}
	runAll(t, socket, tests)
}

// With a terminal a program that was there draws its screen anew, keys arrive, and the detach keys end the session alone.
func TestAttachTerminal(t *testing.T) {
	ptm, pts := openPTY(t)
	setSize(t, ptm, 80, 24)
	before := termios(t, pts)
	f := apitest.New(apitest.Pod("a", func(p *corev1.Pod) { p.Spec.Containers[0].Stdin, p.Spec.Containers[0].TTY = true, true }))
	f.OnAttach = func(_ context.Context, _ string, s stream.Streams) error {
		for range 2 {
			size := <-s.Resize
			fmt.Fprintf(s.Stdout, "%dx%d\n", size.Width, size.Height)
		}
		_, err := io.Copy(s.Stdout, s.Stdin)
		return err
	}
	socket := apitest.Serve(t, f)
	var out buffer
	done := make(chan result, 1)
	go func() { done <- poddContext(t, t.Context(), &out, pts, "attach", "-it", "a", "--socket", socket) }()
	waitFor(t, func() bool { return strings.HasSuffix(out.String(), "81x25\n80x24\n") })
	if raw := termios(t, pts); raw.Lflag&(unix.ISIG|unix.ECHO|unix.ICANON) != 0 {
		t.Errorf("the terminal is not raw: %+v", raw)
	}
	for _, keys := range []string{"ls\x03\r", "\x10\x11"} {
		if _, err := ptm.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	r := <-done
	want := "81x25\n80x24\nls\x03\rSession ended, resume using 'podd attach a -c app -n default -i -t' command\n"
	if r.stdout != want || r.code != 0 {
		t.Errorf("got %+v, want %q", r, want)
	}
	if after := termios(t, pts); after != before {
		t.Errorf("the terminal is left as %+v, was %+v", after, before)
	}
}
