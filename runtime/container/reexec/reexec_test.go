package reexec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"podd/netns/nstest"
	"podd/runtime/container/seccomp/filter"
)

// onThread runs fn on a thread that ends with it: what confines it confines nothing else.
func onThread(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		fn()
	}()
	<-done
}

// fired is what becomes of a filter when something is logged: "", installed, or why it panics.
func fired(c *confiner, message string) (what string) {
	defer func() {
		if p := recover(); p != nil {
			what = fmt.Sprint(p)
		}
	}()
	if err := c.Fire(&logrus.Entry{Message: message}); err != nil {
		return err.Error()
	}
	if c.installed {
		return "installed"
	}
	return ""
}

// Without no_new_privs a filter is installed when the parent has let the init go on, which still has its capabilities; with it
// as late as can be, when the socket to the parent is closed. Any other order runs no command: the moment is never missed.
func TestWhenTheFilterIsInstalled(t *testing.T) {
	logger, out, formatter := logrus.StandardLogger(), logrus.StandardLogger().Out, logrus.StandardLogger().Formatter
	t.Cleanup(func() {
		logger.SetOutput(out)
		logger.SetFormatter(formatter)
	})
	logrus.SetOutput(new(bytes.Buffer))
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	open, closed := int(read.Fd()), 1<<20 // beyond all that can be open
	const (
		missed     = "the moment to install the seccomp filter has passed"
		missedNull = "the moment to use the container's /dev/null has passed"
	)
	for _, tc := range []struct {
		name    string
		noNew   bool
		socket  int
		message string
		dev     bool
		want    string
	}{
		{"before the word", false, open, "init: closing the pipe", false, ""},
		{"the word", false, open, released, false, "installed"},
		{"the word, and more", false, open, released + " from the parent", false, "installed"},
		{"a word that only ends like it", false, open, "x " + released, false, ""},
		{"too late", false, closed, "exec", false, missed},
		{"the word too late", false, closed, released, false, missed},
		{"no new privileges, before", true, open, "exec", false, ""},
		{"no new privileges, the word", true, open, released, false, ""},
		{"no new privileges, at last", true, closed, "exec", false, "installed"},
		{"its own /dev, the word", false, open, released, true, "installed"},
		{"its own /dev, no word", false, open, "exec", true, ""},
		{"its own /dev, too late", false, closed, "exec", true, missedNull},
		{"its own /dev, too late with no new privileges", true, closed, "exec", true, missedNull},
	} {
		if os.Geteuid() != 0 && tc.want == "installed" && !tc.noNew {
			continue // it takes CAP_SYS_ADMIN
		}
		onThread(func() {
			if tc.noNew {
				if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
					t.Error(err)
					return
				}
			}
			allow := &filter.Filter{Program: []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}}
			c := &confiner{filter: allow, socket: tc.socket, dev: tc.dev}
			if got := fired(c, tc.message); got != tc.want {
				t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
			}
			mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
			if confined := mode == unix.SECCOMP_MODE_FILTER; err != nil || tc.want == "installed" && !confined {
				t.Errorf("%s: the thread has the mode %d, %v", tc.name, mode, err)
			}
			// Once it is there, nothing that is logged later changes that, and it is not installed twice.
			if c.installed {
				c.filter, c.socket = nil, closed
				if got := fired(c, "exec"); got != "installed" {
					t.Errorf("%s: then %q", tc.name, got)
				}
			}
		})
	}
	if len((*confiner)(nil).Levels()) != len(logrus.AllLevels) {
		t.Error("it does not see all that is logged")
	}
	// A filter that the kernel does not take runs no command either.
	onThread(func() {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			t.Error(err)
			return
		}
		bad := &filter.Filter{Program: []unix.SockFilter{{Code: 0xffff}}}
		if got := fired(&confiner{filter: bad, socket: closed}, "exec"); !strings.HasPrefix(got, "cannot install the seccomp filter: ") {
			t.Errorf("a bad filter: %q", got)
		}
	})
}

// Where no filter was passed nothing is to be done; where it cannot be told when, no command is run.
func TestConfine(t *testing.T) {
	for _, tc := range []struct {
		name                    string
		console, pipe, syncPipe string
		want                    string
	}{
		{"no init", "", "", "", ""},
		{"the pipe is the first that was passed", "", "3", "4", ""},
		{"the console is", "3", "4", "5", ""},
		{"a filter, and no socket", "", "4", "", "cannot tell when to install the seccomp filter: "},
		{"a filter before the console, and a socket that is none", "4", "3", "x", "cannot tell when to install the seccomp filter: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("_LIBCONTAINER_CONSOLE", tc.console)
			t.Setenv("_LIBCONTAINER_INITPIPE", tc.pipe)
			t.Setenv("_LIBCONTAINER_SYNCPIPE", tc.syncPipe)
			t.Setenv("_LIBCONTAINER_LOGLEVEL", "3")
			hooks := len(logrus.StandardLogger().Hooks)
			err := confine(false)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if len(logrus.StandardLogger().Hooks) != hooks || os.Getenv("_LIBCONTAINER_LOGLEVEL") != "3" {
				t.Error("what is logged was changed")
			}
		})
	}
}

// What libcontainer logs only for the hook goes nowhere; warnings and worse go to its parent as it reads them, in JSON.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, level := range logrus.AllLevels {
		line, err := warnings{}.Format(&logrus.Entry{Logger: logrus.New(), Level: level, Message: "größe \"x\"", Data: logrus.Fields{}})
		if err != nil {
			t.Fatal(err)
		}
		if level > logrus.WarnLevel {
			if len(line) != 0 {
				t.Errorf("%s: %q", level, line)
			}
			continue
		}
		var said struct{ Level, Msg string }
		if err := json.Unmarshal(line, &said); err != nil || said.Msg != "größe \"x\"" || said.Level != level.String() || line[len(line)-1] != '\n' {
			t.Errorf("%s: %q, %v", level, line, err)
		}
	}
}

type failing struct{ writes int }

func (f *failing) Write(line []byte) (int, error) {
	f.writes++
	return 0, errors.New("closed")
}

// The pipe may be closed by the time that nothing is to be written: nobody is told of that on the command's stderr.
func TestLogPipe(t *testing.T) {
	t.Parallel()
	f := &failing{}
	for _, line := range [][]byte{nil, {}} {
		if n, err := (logPipe{f}).Write(line); n != 0 || err != nil || f.writes != 0 {
			t.Errorf("nothing was written: %d, %v, %d writes", n, err, f.writes)
		}
	}
	if _, err := (logPipe{f}).Write([]byte("x")); err == nil || f.writes != 1 {
		t.Errorf("a line: %v, %d writes", err, f.writes)
	}
	var out bytes.Buffer
	if n, err := (logPipe{&out}).Write([]byte("line\n")); n != 5 || err != nil || out.String() != "line\n" {
		t.Errorf("%q, %d, %v", out.String(), n, err)
	}
}

// The first process of a shared PID namespace ends in order with either signal, and has no thread but its own.
func TestPause(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes a PID namespace")
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{"/pause"}, SysProcAttr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}}
		if err := cmd.Start(); err != nil {
			t.Skipf("no PID namespace can be made here: %v", err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// Until it handles a signal it does not see it: it is process 1.
		nstest.Eventually(t, "process 1 handles its signals", func() bool {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			return strings.Contains(string(status), "SigCgt:\t0000000000014002\n") // SIGINT, SIGTERM and SIGCHLD: man 5 proc_pid_status
		})
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
		if err != nil || len(tasks) != 1 {
			t.Errorf("it has %d threads, %v", len(tasks), err)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("%s ends it with %v", signal, err)
		}
	}
}
