package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/runc/libcontainer"

	"podd/runtime/container/process"
	"podd/runtime/container/spec"
)

// withContainer runs fn while a container runs that does nothing.
func withContainer(t testing.TB, fn func(e *Engine, c *spec.Config)) {
	t.Helper()
	e, image := testEngine(t)
	c := testConfig(image, "x0", "/bin/sleep", "1000")
	stdio, err := e.OpenStdio(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer stdio.Close()
	p, err := e.Start(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.PIDFD.Close()
	fn(e, c)
	if err := e.Remove(c.ID); err != nil {
		t.Error(err)
	}
}

// All that a command has started dies with it, and the container lives on.
func TestKillAll(t *testing.T) {
	withContainer(t, func(e *Engine, c *spec.Config) {
		x, err := e.Exec(c, ExecConfig{Args: []string{"/bin/sh", "-c", "sleep 2001 & (sleep 2002 | sleep 2003) & /bin/busybox setsid sleep 2004 & sleep 2005"}})
		if err != nil {
			t.Fatal(err)
		}
		lc, err := e.stateFiles().load(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		count := func() int {
			pids, err := lc.Processes()
			if err != nil {
				t.Fatal(err)
			}
			return len(slices.DeleteFunc(pids, func(pid int) bool {
				stat, err := process.ReadStat("/proc", pid)
				return err != nil || stat.State == 'Z'
			}))
		}
		const all = 8 // the container's own, the shell, its subshell or not, and five that sleep
		for deadline := time.Now().Add(20 * time.Second); count() < all-1 && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		if err := x.KillAll(); err != nil {
			t.Error(err)
		}
		if status, err := x.Wait(); err != nil || status.Signal != 9 {
			t.Errorf("the command ended with %+v, %v", status, err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for count() > 1 && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		if n := count(); n != 1 {
			t.Errorf("%d processes are left", n)
		}
	})
}

// What a container has made of its accounts since its start makes nobody root.
func TestExecAsStarted(t *testing.T) {
	e, image := testEngine(t)
	passwd := filepath.Join(image.Layers[0], "etc/passwd")
	if err := os.WriteFile(passwd, []byte("web:x:33:34::/:/bin/sh\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	image.User = "web"
	c := testConfig(image, "x0", "/bin/sh", "-c", "echo web:x:0:0::/:/bin/sh >/etc/passwd; exec sleep 1000")
	if err := os.Chmod(passwd, 0o666); err != nil {
		t.Fatal(err)
	}
	stdio, err := e.OpenStdio(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer stdio.Close()
	p, err := e.Start(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.PIDFD.Close()
	defer func() {
		if err := e.Remove(c.ID); err != nil {
			t.Error(err)
		}
	}()
	changed := func() bool {
		text, err := os.ReadFile(filepath.Join(e.rootPath(c.ID), "etc/passwd"))
		return err == nil && strings.HasPrefix(string(text), "web:x:0:")
	}
	for deadline := time.Now().Add(20 * time.Second); !changed(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the container cannot change its passwd")
		}
	}
	c.StartedAs = &p.User
	if got, want := execOutput(t, e, c, "id -u; id -g; id -G"), "33\n34\n34\n"; got != want {
		t.Errorf("the command runs as %q, want %q", got, want)
	}
}

// execOutput is what a script in a container says.
func execOutput(t testing.TB, e *Engine, c *spec.Config, script string) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x, err := e.Exec(c, ExecConfig{Args: []string{"/bin/sh", "-c", script}, Stdout: w, Stderr: w})
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := x.Wait(); err != nil || status.Code != 0 {
		t.Errorf("%s: %+v, %v: %s", script, status, err, text)
	}
	return string(text)
}

// BenchmarkExec is a command through the engine, as a probe runs it.
func BenchmarkExec(b *testing.B) {
	withContainer(b, func(e *Engine, c *spec.Config) {
		b.ReportAllocs()
		for b.Loop() {
			x, err := e.Exec(c, ExecConfig{Args: []string{"/bin/true"}})
			if err != nil {
				b.Fatal(err)
			}
			if status, err := x.Wait(); err != nil || status.Code != 0 {
				b.Fatal(status, err)
			}
		}
	})
}

// BenchmarkBareExec is what libcontainer alone needs for it.
func BenchmarkBareExec(b *testing.B) {
	withContainer(b, func(e *Engine, c *spec.Config) {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer null.Close()
		lc, err := libcontainer.Load(e.StateDir, c.ID)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			p := &libcontainer.Process{Args: []string{"/bin/true"}, Env: []string{"PATH=/bin"}, Cwd: "/", Stdin: null, Stdout: null, Stderr: null}
			if err := lc.Run(p); err != nil {
				b.Fatal(err)
			}
			if state, err := p.Wait(); err != nil || state.ExitCode() != 0 {
				b.Fatal(state, err)
			}
		}
	})
}

// What is executed in a container right after its start finds its program as process 1, not podd's init, whose files
// it may not open.
func TestExecRightAfterTheStart(t *testing.T) {
	for range 20 {
		withContainer(t, func(e *Engine, c *spec.Config) {
			stdio, err := e.OpenStdio(c.ID)
			if err != nil {
				t.Fatal(err)
			}
			defer stdio.Close()
			x, err := e.Exec(c, ExecConfig{Args: []string{"/bin/sh", "-c", "echo hello >/proc/1/fd/1"}})
			if err != nil {
				t.Fatal(err)
			}
			if _, waits := e.fresh.Load(c.ID); waits {
				t.Error("it is not known that the program runs")
			}
			if status, err := x.Wait(); err != nil || status.Code != 0 {
				t.Errorf("the command ended with %+v, %v", status, err)
			}
		})
	}
}

func TestAwaitProgram(t *testing.T) {
	for range 20 {
		withContainer(t, func(e *Engine, c *spec.Config) {
			pid, _ := e.fresh.Load(c.ID)
			e.awaitProgram(c.ID)
			if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); program != "/bin/busybox" {
				t.Errorf("process 1 is %q, %v", program, err)
			}
		})
	}
}

// A program that cannot be run is told from a failure of podd's, with a shell's exit code and the kernel's words.
func TestExecWithoutProgram(t *testing.T) {
	withContainer(t, func(e *Engine, c *spec.Config) {
		for args, want := range map[string]ProgramError{
			"/nope":     {exitNotFound, `cannot run "/nope": no such file or directory`},
			"nope":      {exitNotFound, `cannot run "nope": executable file not found in $PATH`},
			"/dev/null": {exitNotExecutable, `cannot run "/dev/null": permission denied`},
			"/etc":      {exitNotExecutable, `cannot run "/etc": is a directory`},
		} {
			_, err := e.Exec(c, ExecConfig{Args: []string{args}})
			if got, ok := errors.AsType[*ProgramError](err); !ok || *got != want {
				t.Errorf("%s: %v, want %v", args, err, want)
			}
		}
	})
}

// Where the limit of processes leaves no room for a command, the error says so.
func TestExecAtTheLimitOfProcesses(t *testing.T) {
	withContainer(t, func(e *Engine, c *spec.Config) {
		lc, err := e.stateFiles().load(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		dirs := cgroupDirs(lc)
		dir := dirs["pids"]
		if dir == "" {
			dir = dirs[""]
		}
		for limit := 1; limit < 6; limit++ {
			if err := os.WriteFile(filepath.Join(dir, "pids.max"), fmt.Append(nil, limit), 0o644); err != nil {
				t.Skip(err)
			}
			x, err := e.Exec(c, ExecConfig{Args: []string{"/bin/true"}})
			if err == nil {
				if status, err := x.Wait(); err != nil || status.Code != 0 { // the container does not die before it
					t.Errorf("limit %d: %+v, %v", limit, status, err)
				}
			}
			if err != nil && !strings.Contains(err.Error(), "processes and threads of the") {
				t.Errorf("limit %d: %v", limit, err)
			}
			if err == nil && limit == 1 {
				t.Error("there is no limit")
			}
		}
	})
}

// A container that dies while commands begin in it dies: a command that has come to nothing leaves no process whose parent is
// podd, for which the kernel would let the container's first process wait for ever.
func TestExecInDyingContainer(t *testing.T) {
	for round := range 20 {
		withContainer(t, func(e *Engine, c *spec.Config) {
			found, err := e.Find(c.ID)
			if err != nil || found == nil {
				t.Fatal(found, err)
			}
			defer found.PIDFD.Close()
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 10 {
						x, err := e.Exec(c, ExecConfig{Args: []string{"/bin/true"}})
						if err != nil {
							return
						}
						_, _ = x.Wait()
					}
				})
			}
			time.Sleep(time.Duration(round) * 2 * time.Millisecond) // another moment each time
			if err := e.Kill(c.ID); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
			all.Wait()
		})
	}
}
