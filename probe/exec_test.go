package probe

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onHost runs commands on this machine, each in a process group of its own.
type onHost struct{ *exec.Cmd }

func startOnHost(t *testing.T, args ...string) func(*os.File) (Command, error) {
	t.Helper()
	return func(output *os.File) (Command, error) {
		c := exec.Command(args[0], args[1:]...)
		c.Stdout, c.Stderr = output, output
		c.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = onHost{c}.KillAll() })
		return onHost{c}, nil
	}
}

func (c onHost) Wait() (int, error) {
	err := c.Cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func (c onHost) KillAll() error { return unix.Kill(-c.Process.Pid, unix.SIGKILL) }

func TestExec(t *testing.T) {
	for name, tc := range map[string]struct {
		args  []string
		limit time.Duration
		want  string
	}{
		"success":         {[]string{"sh", "-c", "echo fine; echo also >&2"}, plenty, "Success fine\nalso"},
		"failure":         {[]string{"sh", "-c", "echo out; echo err >&2; exit 3"}, plenty, "Failure out\nerr"},
		"much output":     {[]string{"sh", "-c", "yes | head -c 1000000; exit 1"}, plenty, "Failure " + strings.Repeat("y\n", maxOutput/2-1) + "y"},
		"leaves a child":  {[]string{"sh", "-c", "echo fine; sleep 1000 &"}, plenty, "Success fine"},
		"hangs":           {[]string{"sh", "-c", "sleep 1000; true"}, time.Second, `Failure command timed out: "sh -c sleep 1000; true" timed out after 1s`},
		"hangs and talks": {[]string{"sh", "-c", "yes"}, time.Second, `Failure command timed out: "sh -c yes" timed out after 1s`},
		"no program":      {[]string{"/nowhere"}, plenty, "Unknown fork/exec /nowhere: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, text := Exec(within(tc.limit), tc.args, startOnHost(t, tc.args...))
			if got := string(result) + " " + text; got != tc.want {
				t.Errorf("got %.200q, want %.200q", got, tc.want)
			}
		})
	}
}
