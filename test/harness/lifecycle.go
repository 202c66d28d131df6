package harness

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

func ReplaceImage(manifest, image string) string {
	return strings.Replace(manifest, "image: busybox\n", "image: "+image+"\n", 1)
}

// Event waits for an event whose message has the text.
func (b *Board) Event(text string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		stdout, stderr, _ := b.RunCLI("get", "events")
		return strings.Contains(stdout, text), fmt.Errorf("no event with %q:\n%s%s", text, stdout, stderr)
	}))
}

// StarterEnv makes the test binary start a program as badly as it can.
const StarterEnv = "PODD_TEST_STARTER"

// startBadly becomes the program after "--" with all that execve(2) keeps set to what no container should have.
func startBadly() {
	runtime.LockOSThread() // most of it is a thread's
	check := func(what string, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "cannot start badly:", what, err)
			os.Exit(1)
		}
	}
	syscall.Umask(0o077)
	for _, l := range []struct {
		resource int
		limit    unix.Rlimit
	}{
		{unix.RLIMIT_NOFILE, unix.Rlimit{Cur: 300, Max: 70000}},
		{unix.RLIMIT_CORE, unix.Rlimit{Cur: 12345, Max: unix.RLIM_INFINITY}},
		{unix.RLIMIT_STACK, unix.Rlimit{Cur: 4 << 20, Max: unix.RLIM_INFINITY}},
		{unix.RLIMIT_FSIZE, unix.Rlimit{Cur: 1 << 40, Max: unix.RLIM_INFINITY}},
		{unix.RLIMIT_MEMLOCK, unix.Rlimit{Cur: 1 << 20, Max: 64 << 20}},
		{unix.RLIMIT_DATA, unix.Rlimit{Cur: 1 << 40, Max: unix.RLIM_INFINITY}},
	} {
		var own unix.Rlimit
		check("getrlimit", unix.Getrlimit(l.resource, &own))
		l.limit.Max = min(l.limit.Max, own.Max)
		l.limit.Cur = min(l.limit.Cur, l.limit.Max)
		check("setrlimit", unix.Setrlimit(l.resource, &l.limit))
	}
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGPIPE, unix.SIGTSTP, unix.SIGTTOU, unix.SIGCHLD, unix.SIGUSR1, unix.SIGWINCH)
	var blocked unix.Sigset_t
	for i := range blocked.Val {
		blocked.Val[i] = ^blocked.Val[i]
	}
	check("nice", unix.Setpriority(unix.PRIO_PROCESS, 0, 7))
	check("scheduler", unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Nice: 7}, 0))
	const ioprioWhoProcess, idle = 1, 3 << 13
	_, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, idle)
	check("ioprio", orNil(errno))
	check("timer slack", unix.Prctl(unix.PR_SET_TIMERSLACK, 1_000_000, 0, 0, 0))
	check("THP", unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0))
	var one unix.CPUSet
	one.Set(0)
	check("affinity", unix.SchedSetaffinity(0, &one))
	check("oom_score_adj", os.WriteFile("/proc/self/oom_score_adj", []byte("555"), 0))
	check("coredump filter", os.WriteFile("/proc/self/coredump_filter", []byte("0x7f"), 0))
	const noRandomAddresses = 0x0040000 // linux/personality.h
	_, _, errno = unix.Syscall(unix.SYS_PERSONALITY, noRandomAddresses, 0, 0)
	check("personality", orNil(errno))
	if _, err := unix.KeyctlJoinSessionKeyring("starter"); err == nil { // no keys: nothing to leave
		_, err = unix.AddKey("user", "starter", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING)
		check("key", err)
	}
	for fd := 20; fd < 25; fd++ { // without O_CLOEXEC
		check("descriptor", unix.Dup2(2, fd))
	}
	check("folder", os.Chdir("/var/tmp"))
	command := os.Args[slices.Index(os.Args, "--")+1:]
	check("mask", unix.PthreadSigmask(unix.SIG_SETMASK, &blocked, nil))
	check("exec", syscall.Exec(command[0], command, append(os.Environ(), "OF_THE_STARTER=1")))
}

func orNil(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func LineOf(text, prefix string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

func (b *Board) ReadFile(path string) string {
	b.T.Helper()
	data, err := os.ReadFile(path)
	b.Must(err)
	return string(data)
}

// Get fetches a URL from inside the board's network; it asks again until somebody listens.
func Get(b *Board, url string) string {
	b.T.Helper()
	var body []byte
	b.Must(lab.Poll(Limit, func() (bool, error) {
		response, err := b.HTTPFrom().Get(url)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		body, err = io.ReadAll(response.Body)
		return err == nil, err
	}))
	return string(body)
}

// HasLine says whether a line of the text has exactly these fields.
func HasLine(text string, fields []string) bool {
	for line := range strings.Lines(text) {
		if strings.Join(strings.Fields(line), " ") == strings.Join(fields, " ") {
			return true
		}
	}
	return false
}

// Traces lists what pods of a board leave in the kernel and in the run folder: processes, cgroups below the board's,
// mounts, links, nftables rules, leases.
func (b *Board) Traces() []string {
	b.T.Helper()
	var list []string
	daemon := b.Pid()
	for _, pid := range b.Cgroup().Pids() {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || pid == daemon || strings.HasPrefix(string(cmdline), Suite.standin) {
			continue
		}
		list = append(list, "process "+strings.ReplaceAll(string(cmdline), "\x00", " "))
	}
	for _, dir := range b.Cgroup().Below() {
		if strings.Contains(filepath.Base(dir), "pod") && strings.Contains(dir, "/kubepods/") {
			list = append(list, "cgroup "+dir)
		}
	}
	mounts, err := lab.MountsBelow(b.Dir)
	b.Must(err)
	for _, mount := range mounts {
		if mount != b.Run && mount != b.Root && mount != b.Netns() && mount != filepath.Join(b.Run, "ns") {
			list = append(list, "mount "+mount)
		}
	}
	for _, link := range b.Links() {
		if strings.Contains(link, "veth") {
			list = append(list, "link "+link)
		}
	}
	for _, pattern := range []string{"ns/*", "pods/*", "sandbox/*", "containers/*"} {
		left, err := filepath.Glob(filepath.Join(b.Run, pattern))
		b.Must(err)
		list = append(list, left...)
	}
	left, err := filepath.Glob(filepath.Join(b.Root, "containers/*"))
	b.Must(err)
	return append(list, left...)
}

// Links are the network links of the board, with their kinds.
func (b *Board) Links() []string {
	b.T.Helper()
	output, err := b.In("ip", "-d", "-o", "link", "show").Output()
	b.Must(err)
	return strings.Split(strings.TrimSpace(string(output)), "\n")
}

// Cleared waits until the pods' traces are gone.
func (b *Board) Cleared() {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		left := b.Traces()
		return len(left) == 0, fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}))
}

func ConfigWith(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ReplaceIn changes a manifest and fails if there is nothing to change.
func ReplaceIn(t *testing.T, manifest, from, to string) string {
	t.Helper()
	if !strings.Contains(manifest, from) {
		t.Fatalf("the manifest has no %q:\n%s", from, manifest)
	}
	return strings.Replace(manifest, from, to, 1)
}
