package cli

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"podd/test/harness"
	"podd/test/lab"
)

// Exit codes, both streams, stdin, and what does not exist.
func TestExec(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)))
	b.Running("app")
	for _, code := range []int{0, 1, 42, 255} {
		if _, _, got := b.RunCLI("exec", "app", "--", "sh", "-c", "exit "+strconv.Itoa(code)); got != code {
			t.Errorf("exit %d arrives as %d", code, got)
		}
	}
	stdout, stderr, _ := b.RunCLI("exec", "app", "--", "sh", "-c", "echo out; echo err >&2")
	if stdout != "out\n" || !strings.HasSuffix(stderr, "err\n") {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
	if _, _, code := b.RunCLI("exec", "app", "--", "sh", "-c", "kill -9 $$"); code != 137 {
		t.Errorf("SIGKILL arrives as %d", code)
	}
	for _, args := range [][]string{
		{"exec", "none", "--", "true"},
		{"exec", "app", "-c", "none", "--", "true"},
	} {
		if stdout, stderr, code := b.RunCLI(args...); code == 0 || stderr == "" {
			t.Errorf("%v: exit %d, %q %q", args, code, stdout, stderr)
		}
	}
	for program, want := range map[string]int{"/no/such/program": 127, "no-such-program": 127, "/dev/null": 126} {
		_, stderr, code := b.RunCLI("exec", "app", "-c", "one", "--", program)
		if first := `cannot run "` + program + `": `; code != want || !strings.HasPrefix(stderr, first) || strings.Count(stderr, "\n") != 2 {
			t.Errorf("%s: exit %d, %q", program, code, stderr)
		}
	}
	// What the kernel does not execute is known only when it is tried: the words are on the command's stderr.
	b.Sh("app", "one", `printf '\177ELF garbage' >/tmp/garbage; printf '#!/no/such/shell\n' >/tmp/script; chmod +x /tmp/garbage /tmp/script`)
	for program, words := range map[string]string{"/tmp/garbage": "exec format error", "/tmp/script": "no such file or directory"} {
		_, stderr, code := b.RunCLI("exec", "app", "-c", "one", "--", program)
		if want := "exec " + program + ": " + words; code != 126 || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit %d, %q", program, code, stderr)
		}
	}
	if got := b.Sh("app", "two", "cat /proc/1/cgroup >/dev/null && hostname"); got != "app" {
		t.Errorf("hostname inside is %q", got)
	}
}

// Megabytes go through exec unharmed in both directions.
func TestExecCarriesData(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	data := bytes.Repeat([]byte("0123456789abcdef\n\x00\xff\r\n"), 200_000)
	command := b.Podd("exec", "-i", "app", "--", "cat")
	command.Stdin = bytes.NewReader(data)
	var errs bytes.Buffer
	command.Stderr = &errs
	got, err := command.Output()
	if err != nil {
		t.Fatalf("exec -i cat: %v: %s", err, &errs)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes went in, %d came out", len(data), len(got))
	}
}

// A terminal: the process has one, of the client's size, follows its changes, and Ctrl-C arrives as a signal.
func TestExecTerminal(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	tty, err := lab.OpenTerminal(33, 111)
	b.Must(err)
	defer tty.Close()
	command := b.Podd("exec", "-it", "app", "--", "sh")
	b.Must(tty.Start(command))
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()

	tty.Send("tty; stty size; echo ready\n")
	b.Must(tty.Expect(harness.Limit, "/dev/pts/", "33 111", "ready"))
	b.Must(tty.Resize(44, 99))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		tty.Send("stty size\n")
		err := tty.Expect(time.Second, "44 99")
		return err == nil, err
	}))
	tty.Send("echo go; sleep 1000\n")
	b.Must(tty.Expect(harness.Limit, "\ngo\r"))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		tty.Send("\x03")
		tty.Send("echo after=$?\n")
		err := tty.Expect(time.Second, "after=130")
		return err == nil, err
	}))
	tty.Send("exit 9\n")
	select {
	case <-ended:
	case <-time.After(harness.Limit):
		t.Fatalf("the session does not end; it showed:\n%s", tty.Seen())
	}
	if got := command.ProcessState.ExitCode(); got != 9 {
		t.Errorf("exit 9 arrives as %d", got)
	}
}

// An exec that runs when its container ends, or whose client goes away, leaves no process behind.
func TestExecEndsWithItsContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	command := b.Podd("exec", "app", "--", "sleep", "1000")
	b.Must(command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		list := b.Sh("app", "main", "ps")
		return strings.Count(list, "sleep 1000") >= 2, fmt.Errorf("the exec has not started:\n%s", list)
	}))
	b.MustRemove("app")
	select {
	case <-ended:
	case <-time.After(harness.Limit):
		t.Fatal("the client hangs")
	}
	if command.ProcessState.ExitCode() == 0 {
		t.Error("an exec that was cut off exits with 0")
	}
	b.Gone("app")
	b.Cleared()
}
