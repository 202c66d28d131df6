package container

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container/process"
	"podd/runtime/container/spec"
)

// output runs a command in a container to its end.
func output(t testing.TB, e *Engine, c *spec.Config, x ExecConfig) (string, process.ExitStatus) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x.Stdout, x.Stderr = w, w
	command, err := e.Exec(c, x)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	status, err := command.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return string(text), status
}

// startFor keeps a container running while fn runs.
func startFor(t testing.TB, e *Engine, c *spec.Config, fn func(*Process)) {
	t.Helper()
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
	fn(p)
	if err := e.Remove(c.ID); err != nil {
		t.Error(err)
	}
	if err := e.RemoveIO(c.ID); err != nil {
		t.Error(err)
	}
}

func seccompOf(t testing.TB, pid string) string {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		t.Fatal(err)
	}
	return line(string(status), "Seccomp:") + line(string(status), "Seccomp_filters:") + line(string(status), "NoNewPrivs:")
}

func line(status, key string) string {
	_, rest, _ := strings.Cut(status, "\n"+key)
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}

// What starts in a container and what is executed there is held by the same filter, and by one only.
func TestSeccompOfStartAndExec(t *testing.T) {
	e, image := testEngine(t)
	no, yes := false, true
	zero := int64(1000)
	for name, tc := range map[string]struct {
		sc   *corev1.SecurityContext
		off  bool
		held bool   // the node's noNewPrivileges
		want string // mode, filters, no_new_privs
	}{
		"default":        {want: "210"},
		"no escalation":  {sc: &corev1.SecurityContext{AllowPrivilegeEscalation: &no}, want: "211"},
		"a user":         {sc: &corev1.SecurityContext{RunAsUser: &zero}, want: "210"},
		"both":           {sc: &corev1.SecurityContext{RunAsUser: &zero, AllowPrivilegeEscalation: &no}, want: "211"},
		"capabilities":   {sc: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}, want: "210"},
		"held":           {held: true, want: "211"},
		"held, may rise": {held: true, sc: &corev1.SecurityContext{AllowPrivilegeEscalation: &yes}, want: "210"},
		"held, admin":    {held: true, sc: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}}, want: "210"},
		"privileged":     {sc: &corev1.SecurityContext{Privileged: &yes}, want: "000"},
		"unconfined":     {sc: &corev1.SecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: "Unconfined"}}, want: "000"},
		"off":            {off: true, want: "000"},
		"off, but asked": {off: true, sc: &corev1.SecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"}}, want: "210"},
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(image, "x0", "/bin/sleep", "1000")
			c.Container.SecurityContext, c.SeccompDefault, c.NoNewPrivileges = tc.sc, !tc.off, tc.held
			startFor(t, e, c, func(p *Process) {
				e.awaitProgram(c.ID)
				if got := seccompOf(t, strconv.Itoa(p.PID)); got != tc.want {
					t.Errorf("the first process has %s, want %s", got, tc.want)
				}
				c.NoNewPrivileges = false // whoever executes knows nothing of it
				text, _ := output(t, e, c, ExecConfig{Args: []string{"/bin/cat", "/proc/self/status"}})
				if got := line(text, "Seccomp:") + line(text, "Seccomp_filters:") + line(text, "NoNewPrivs:"); got != tc.want {
					t.Errorf("a command has %s, want %s\n%s", got, tc.want, text)
				}
				// Nothing of how it came there is left.
				text, _ = output(t, e, c, ExecConfig{Args: []string{"/bin/sh", "-c", "exec /bin/busybox ls /proc/self/fd"}})
				if got := strings.Fields(text); len(got) != 4 { // and the folder
					t.Errorf("a command has descriptors %q", got)
				}
			})
		})
	}
}

// The profile of Kubernetes' tutorial allows nothing of what an init does before the command.
// https://kubernetes.io/docs/tutorials/security/seccomp/
func TestSeccompAsLateAsCanBe(t *testing.T) {
	e, image := testEngine(t)
	e.Seccomp.Dir = t.TempDir()
	profile := `{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": [
		"arch_prctl", "brk", "clone", "close", "dup2", "execve", "exit", "exit_group", "fcntl", "fstat", "fstatfs", "futex", "getdents64", "getpid", "gettid", "getuid", "ioctl", "madvise",
		"mmap", "mprotect", "munmap", "nanosleep", "open", "openat", "openat2", "newfstatat", "poll", "prctl", "read", "readlink", "readlinkat", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield", "set_tid_address",
		"sigaltstack", "statx", "tgkill", "uname", "write", "set_robust_list", "rseq", "prlimit64", "getrandom", "clock_nanosleep"]}]}`
	if err := os.WriteFile(filepath.Join(e.Seccomp.Dir, "fine.json"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	no, name, user := false, "fine.json", int64(1000)
	c := testConfig(image, "x0", "/bin/sleep", "1000")
	c.Container.SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, RunAsUser: &user,
		SeccompProfile: &corev1.SeccompProfile{Type: "Localhost", LocalhostProfile: &name},
	}
	startFor(t, e, c, func(*Process) {
		if text, status := output(t, e, c, ExecConfig{Args: []string{"/bin/busybox", "uname", "-s"}}); text != "Linux\n" || status.Code != 0 {
			t.Errorf("a command says %q and ends with %+v", text, status)
		}
		if text, _ := output(t, e, c, ExecConfig{Args: []string{"/bin/busybox", "mkdir", "/tmp/x"}}); !strings.Contains(text, "Operation not permitted") {
			t.Errorf("mkdir says %q", text)
		}
	})
}

// A profile that changes, or goes, does not change what runs, also not for what is executed there later.
func TestSeccompProfileIsThatOfTheStart(t *testing.T) {
	e, image := testEngine(t)
	e.Seccomp.Dir = t.TempDir()
	path, name := filepath.Join(e.Seccomp.Dir, "p.json"), "p.json"
	if err := os.WriteFile(path, []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := testConfig(image, "x0", "/bin/sleep", "1000")
	c.Container.SecurityContext = &corev1.SecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: "Localhost", LocalhostProfile: &name}}
	startFor(t, e, c, func(*Process) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		later := &Engine{StateDir: e.StateDir, IODir: e.IODir, RootDir: e.RootDir, MountDir: e.MountDir, RemoveTree: e.RemoveTree}
		if text, _ := output(t, later, c, ExecConfig{Args: []string{"/bin/busybox", "mkdir", "/tmp/x"}}); !strings.Contains(text, "No space left") {
			t.Errorf("mkdir says %q", text)
		}
	})
	var said bytes.Buffer
	if _, err := e.Start(c, nil); err != nil {
		said.WriteString(err.Error())
	}
	if want := `cannot load seccomp profile "` + path + `": open ` + path + `: no such file or directory`; said.String() != want {
		t.Errorf("got %q, want %q", said.String(), want)
	}
	if err := e.Remove(c.ID); err != nil {
		t.Error(err)
	}
}

func BenchmarkStartConfined(b *testing.B) {
	e, image := testEngine(b)
	i := 0
	for b.Loop() {
		c := testConfig(image, "b"+strconv.Itoa(i), "/bin/true")
		c.SeccompDefault = true
		runToEnd(b, e, c)
		i++
	}
}
