package test

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/test/lab"
)

// starterEnv makes the test binary start a program as badly as it can.
const starterEnv = "PODD_TEST_STARTER"

// startedBadly is an option: the daemon is started by a process that leaves it everything that a process can.
func startedBadly(o *lab.Options) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	o.Standin, o.Env = self, append(o.Env, starterEnv+"=1")
}

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

// lookAround prints what a process has inherited, and files that podd has made.
const lookAround = `echo umask $(umask)
awk '/^Max/ {sub(/^Max /, ""); gsub(/  +/, ";"); print "limit", $0}' /proc/self/limits
awk '/^Sig(Blk|Ign)/' /proc/self/status
awk '{print "nice", $19, "policy", $41}' /proc/self/stat
echo slack $(cat /proc/self/timerslack_ns) personality $(cat /proc/self/personality)
awk '/^Cpus_allowed:/ || /^THP_enabled/' /proc/self/status
echo dump $(cat /proc/self/coredump_filter)
echo oom $(cat /proc/self/oom_score_adj) ioprio $(ionice) cwd $PWD
echo fds $(ls /proc/self/fd)
env | grep -c -e STARTER -e GOMAXPROCS
stat -c '%a %n' / /etc/hosts /etc/hostname /etc/resolv.conf`

// Whoever has started podd, and however: the containers, and what is executed in them, have the same.
func TestNothingOfTheStarterInContainers(t *testing.T) {
	b := newBoard(t, startedBadly)
	look := func(name string) string {
		return fmt.Sprintf("{ %s\n} >/tmp/%s.new 2>&1; mv /tmp/%s.new /tmp/%s\n", lookAround, name, name, name)
	}
	b.drop("app", podOf("app", containerOf("main", look("main")+forever,
		"lifecycle: {postStart: {exec: {command: [sh, -c, "+strconv.Quote(look("hook"))+"]}}}",
		"readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "+strconv.Quote(look("probe"))+"]}}")))
	b.running("app")
	seen := map[string]string{"exec": b.sh("app", "main", lookAround)}
	for _, name := range []string{"main", "hook", "probe"} {
		seen[name] = b.sh("app", "main", fmt.Sprintf("until test -s /tmp/%s; do sleep 0.1; done; cat /tmp/%s", name, name))
	}
	for name, text := range seen {
		for _, want := range []string{
			"umask 0022", "limit open files;1024;", "limit core file size;0;unlimited", "limit stack size;8388608;unlimited", "limit file size;unlimited;unlimited",
			"limit locked memory;8388608;8388608", "limit data size;unlimited;unlimited", "limit cpu time;unlimited;unlimited", "limit realtime priority;0;0",
			"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "nice 0 policy 0", "slack 50000 personality 00000000", "THP_enabled:\t1",
			"ioprio none: prio 0 cwd /", "\n0\n", "755 /\n", "644 /etc/hosts\n", "644 /etc/hostname\n", "644 /etc/resolv.conf",
		} {
			if !strings.Contains("\n"+text+"\n", want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		if strings.Contains(text, "dump 0000007f") {
			t.Errorf("%s has podd's coredump_filter:\n%s", name, text)
		}
		if strings.Contains(text, "oom 555") {
			t.Errorf("%s has podd's oom_score_adj:\n%s", name, text)
		}
		if runtime.NumCPU() > 1 && strings.HasSuffix(lineOf(text, "Cpus_allowed:"), "\t1") {
			t.Errorf("%s has podd's processors:\n%s", name, text)
		}
		if fds := strings.Fields(lineOf(text, "fds")); len(fds) > 6 || slices.Contains(fds, "20") {
			t.Errorf("%s has descriptors %v", name, fds)
		}
	}
}

func lineOf(text, prefix string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

// unfiltered lets a pod use what the default seccomp profile closes, such as keyrings.
const unfiltered = "securityContext: {seccompProfile: {type: Unconfined}}"

// Each container has a session keyring of its own, whatever was in podd's; what is executed in one has none.
func TestKeysOfContainers(t *testing.T) {
	if _, err := os.Stat("/proc/keys"); err != nil {
		t.Skip("this kernel has no keys")
	}
	t.Parallel()
	b := newEmptyBoard(t, startedBadly)
	b.loadImages("busybox.tar", "answerer.tar")
	b.start()
	b.drop("first", podOf("first", unfiltered, probed("main", "answerer keyring find starter add mine find mine >/tmp/keys; "+forever)))
	b.running("first")
	const read = "until grep -q 'find mine' /tmp/keys; do sleep 0.1; done; cat /tmp/keys"
	first := b.sh("first", "main", read)
	serial, ok := strings.CutSuffix(strings.TrimPrefix(lineOf(first, "session"), "session "), " ok")
	if !ok || first != "session "+serial+" ok\nfind starter: ENOKEY\nadd mine: ok\nfind mine: ok" {
		t.Fatalf("in a container: %s", first)
	}
	b.drop("second", podOf("second", unfiltered, probed("main", "answerer keyring look "+serial+" find mine >/tmp/keys; "+forever)))
	b.running("second")
	second := strings.Split(b.sh("second", "main", read), "\n")
	if len(second) != 3 || second[0] == "session "+serial+" ok" || !strings.HasSuffix(second[0], " ok") || second[1] != "look "+serial+": EACCES" || second[2] != "find mine: ENOKEY" {
		t.Errorf("in another container: %q", second)
	}
	b.drop("users", podOf("users", "hostUsers: false", unfiltered, probed("main", "answerer keyring find mine add own find own >/tmp/keys; "+forever)))
	b.running("users")
	if users := b.sh("users", "main", "until grep -q 'find own' /tmp/keys; do sleep 0.1; done; cat /tmp/keys"); !strings.HasSuffix(users, " ok\nfind mine: ENOKEY\nadd own: ok\nfind own: ok") {
		t.Errorf("in a pod with ids of its own: %s", users)
	}
	if got := b.sh("first", "main", "answerer keyring find starter add more find mine look "+serial); got !=
		"session -1 EKEYREVOKED\nfind starter: EKEYREVOKED\nadd more: EKEYREVOKED\nfind mine: EKEYREVOKED\nlook "+serial+": EACCES" {
		t.Errorf("in a command: %s", got)
	}
}

// A node's own limits count for containers that start from then on, and for what is executed in them.
func TestDefaultRlimits(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("defaultRlimits: {nofile: 77:88, core: 5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBoard(t, withArgs("--config", file))
	limits := func(pod, process string) string {
		return b.sh(pod, "main", "awk '/^Max (open|core)/ {print $(NF-2), $(NF-1)}' /proc/"+process+"/limits")
	}
	b.drop("first", onePod("first", forever))
	b.running("first")
	b.kill9()
	b.must(os.WriteFile(file, nil, 0o600))
	b.start()
	b.drop("second", onePod("second", forever))
	b.running("second")
	for _, process := range []string{"1", "self"} {
		if got := limits("first", process); got != "5 5\n77 88" {
			t.Errorf("process %s of the first has %q", process, got)
		}
		if got := limits("second", process); !strings.HasPrefix(got, "0 unlimited\n1024 ") {
			t.Errorf("process %s of the second has %q", process, got)
		}
	}
}
