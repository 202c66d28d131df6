package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
	"podd/runtime/api/stream"
)

// shell answers the commands of these tests.
func shell(_ context.Context, _ string, o *corev1.PodExecOptions, s stream.Streams) (int, error) {
	switch o.Command[0] {
	case "exit":
		fmt.Fprint(s.Stdout, "out\n")
		fmt.Fprint(s.Stderr, "err\n")
		return 42, nil
	case "cat":
		_, err := io.Copy(s.Stdout, s.Stdin)
		return 0, err
	case "where":
		fmt.Fprint(s.Stdout, o.Container)
		return 0, nil
	}
	return 0, api.BadRequest("no such command: " + strings.Join(o.Command, " "))
}

func execSocket(t *testing.T) string {
	f := apitest.New(apitest.Pod("a"), apitest.Pod("two", func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Name: "one"}, {Name: "app"}}
		p.Spec.InitContainers = []corev1.Container{{Name: "setup"}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{apitest.Running("one"), apitest.Running("app")}
	}))
	f.Put(apitest.Pod("prepared", func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "setup"}}
	}))
	f.OnExec = shell
	return apitest.Serve(t, f)
}

func TestExec(t *testing.T) {
	socket := execSocket(t)
	tests := []invocation{
		{"exec a -- exit", "", result{"out\n", "err\ncommand terminated with exit code 42\n", 42}},
		{"exec -q a -- exit", "", result{"out\n", "err\n", 42}},
		{"exec pod/a -- where", "", result{"app", "", 0}},
		{"exec two -- where", "", result{"one", "Defaulted container \"one\" out of: one, app, setup (init)\n", 0}},
		{"exec prepared -- where", "", result{"app", "Defaulted container \"app\" out of: app, setup (init)\n", 0}},
		{"exec -q prepared -- where", "", result{"app", "", 0}},
		{"exec -q two -- where", "", result{"one", "", 0}},
		{"exec two -c app -- where", "", result{"app", "", 0}},
		{"exec -i a -- cat", "to and fro", result{"to and fro", "", 0}},
		{"exec a -- fly -x", "", result{"", "error: no such command: fly -x\n", 1}},
		{"exec b -- where", "", result{"", "Error from server (NotFound): pods \"b\" not found\n", 1}},
		{"exec b -c x -- where", "", result{"", "Error from server (NotFound): pods \"b\" not found\n", 1}},
		{"exec node/a -- where", "", result{"", "error: \"node/a\" is not a pod\n", 1}},
		{"exec a", "", result{"", "error: you must specify at least one command for the container\n", 1}},
		{"exec a ls", "", result{"", "error: exec [POD] [COMMAND] is not supported anymore: use exec [POD] -- [COMMAND] instead\n", 1}},
		{"exec -- ls", "", result{"", "error: pod or type/name must be specified\n", 1}},
		{"exec -it a -- cat", "x", result{"x", "Unable to use a TTY - input is not a terminal or the right kind of file\n", 0}},
	}
	runAll(t, socket, tests)
}

// More than any buffer on the way goes through whole, and ends.
func TestExecMuchStdin(t *testing.T) {
	socket := execSocket(t)
	in := strings.Repeat("0123456789abcdef", 1<<16)
	got := podd(t, strings.NewReader(in), "exec", "-i", "a", "--socket", socket, "--", "cat")
	if got.stdout != in || got.code != 0 {
		t.Errorf("%d bytes came back of %d, code %d, %s", len(got.stdout), len(in), got.code, got.stderr)
	}
}

// With a terminal Ctrl-C is a byte for the command, sizes arrive, and the terminal is given
// back as it was.
func TestExecTerminal(t *testing.T) {
	ptm, pts := openPTY(t)
	setSize(t, ptm, 80, 24)
	before := termios(t, pts)

	f := apitest.New(apitest.Pod("a"))
	f.OnExec = func(_ context.Context, _ string, o *corev1.PodExecOptions, s stream.Streams) (int, error) {
		if !o.TTY || o.Stderr {
			return 1, nil
		}
		size := <-s.Resize
		fmt.Fprintf(s.Stdout, "%dx%d\n", size.Width, size.Height)
		key := make([]byte, 1)
		if _, err := io.ReadFull(s.Stdin, key); err != nil {
			return 0, err
		}
		fmt.Fprintf(s.Stdout, "key %d\n", key[0])
		size = <-s.Resize
		fmt.Fprintf(s.Stdout, "%dx%d\n", size.Width, size.Height)
		return 5, nil
	}
	socket := apitest.Serve(t, f)
	var out buffer
	done := make(chan result, 1)
	go func() {
		done <- poddContext(t, t.Context(), &out, pts, "exec", "-it", "a", "--socket", socket, "--", "sh")
	}()

	waitFor(t, func() bool { return strings.HasSuffix(out.String(), "80x24\n") })
	if raw := termios(t, pts); raw.Lflag&(unix.ISIG|unix.ECHO|unix.ICANON) != 0 || raw.Oflag&unix.OPOST != 0 {
		t.Errorf("the terminal is not raw: %+v", raw)
	}
	if _, err := ptm.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return strings.HasSuffix(out.String(), "key 3\n") })
	setSize(t, ptm, 100, 30)
	if err := unix.Kill(os.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if want := "80x24\nkey 3\n100x30\n"; r.stdout != want || r.code != 5 {
		t.Errorf("got %+v, want %q and code 5", r, want)
	}
	if after := termios(t, pts); after != before {
		t.Errorf("the terminal is left as %+v, was %+v", after, before)
	}
}

func openPTY(t *testing.T) (ptm, pts *os.File) {
	t.Helper()
	ptm, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { ptm.Close() })
	n, err := unix.IoctlGetInt(int(ptm.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ptm.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	pts, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pts.Close() })
	return ptm, pts
}

func setSize(t *testing.T, f *os.File, w, h uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: w, Row: h}); err != nil {
		t.Fatal(err)
	}
}

func termios(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}
