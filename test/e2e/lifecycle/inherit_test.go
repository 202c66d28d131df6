package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// startedBadly is an option: the daemon is started by a process that leaves it everything that a process can.
func startedBadly(o *lab.Options) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	o.Standin, o.Env = self, append(o.Env, harness.StarterEnv+"=1")
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
	b := harness.NewBoard(t, startedBadly)
	look := func(name string) string {
		return fmt.Sprintf("{ %s\n} >/tmp/%s.new 2>&1; mv /tmp/%s.new /tmp/%s\n", lookAround, name, name, name)
	}
	b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("main", look("main")+harness.Forever,
		"lifecycle: {postStart: {exec: {command: [sh, -c, "+strconv.Quote(look("hook"))+"]}}}",
		"readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "+strconv.Quote(look("probe"))+"]}}")))
	b.Running("app")
	seen := map[string]string{"exec": b.Sh("app", "main", lookAround)}
	for _, name := range []string{"main", "hook", "probe"} {
		seen[name] = b.Sh("app", "main", fmt.Sprintf("until test -s /tmp/%s; do sleep 0.1; done; cat /tmp/%s", name, name))
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
		if runtime.NumCPU() > 1 && strings.HasSuffix(harness.LineOf(text, "Cpus_allowed:"), "\t1") {
			t.Errorf("%s has podd's processors:\n%s", name, text)
		}
		if fds := strings.Fields(harness.LineOf(text, "fds")); len(fds) > 6 || slices.Contains(fds, "20") {
			t.Errorf("%s has descriptors %v", name, fds)
		}
	}
}

// unfiltered lets a pod use what the default seccomp profile closes, such as keyrings.
const unfiltered = "securityContext: {seccompProfile: {type: Unconfined}}"

// Each container has a session keyring of its own, whatever was in podd's; what is executed in one has none.
func TestKeysOfContainers(t *testing.T) {
	if _, err := os.Stat("/proc/keys"); err != nil {
		t.Skip("this kernel has no keys")
	}
	t.Parallel()
	b := harness.NewEmptyBoard(t, startedBadly)
	b.LoadImages("busybox.tar", "answerer.tar")
	b.MustStart()
	b.MustDrop("first", harness.PodOf("first", unfiltered, harness.Probed("main", "answerer keyring find starter add mine find mine >/tmp/keys; "+harness.Forever)))
	b.Running("first")
	const read = "until grep -q 'find mine' /tmp/keys; do sleep 0.1; done; cat /tmp/keys"
	first := b.Sh("first", "main", read)
	serial, ok := strings.CutSuffix(strings.TrimPrefix(harness.LineOf(first, "session"), "session "), " ok")
	if !ok || first != "session "+serial+" ok\nfind starter: ENOKEY\nadd mine: ok\nfind mine: ok" {
		t.Fatalf("in a container: %s", first)
	}
	b.MustDrop("second", harness.PodOf("second", unfiltered, harness.Probed("main", "answerer keyring look "+serial+" find mine >/tmp/keys; "+harness.Forever)))
	b.Running("second")
	second := strings.Split(b.Sh("second", "main", read), "\n")
	if len(second) != 3 || second[0] == "session "+serial+" ok" || !strings.HasSuffix(second[0], " ok") || second[1] != "look "+serial+": EACCES" || second[2] != "find mine: ENOKEY" {
		t.Errorf("in another container: %q", second)
	}
	b.MustDrop("users", harness.PodOf("users", "hostUsers: false", unfiltered, harness.Probed("main", "answerer keyring find mine add own find own >/tmp/keys; "+harness.Forever)))
	b.Running("users")
	if users := b.Sh("users", "main", "until grep -q 'find own' /tmp/keys; do sleep 0.1; done; cat /tmp/keys"); !strings.HasSuffix(users, " ok\nfind mine: ENOKEY\nadd own: ok\nfind own: ok") {
		t.Errorf("in a pod with ids of its own: %s", users)
	}
	if got := b.Sh("first", "main", "answerer keyring find starter add more find mine look "+serial); got !=
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
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	limits := func(pod, process string) string {
		return b.Sh(pod, "main", "awk '/^Max (open|core)/ {print $(NF-2), $(NF-1)}' /proc/"+process+"/limits")
	}
	b.MustDrop("first", harness.OnePod("first", harness.Forever))
	b.Running("first")
	b.MustKill9()
	b.Must(os.WriteFile(file, nil, 0o600))
	b.MustStart()
	b.MustDrop("second", harness.OnePod("second", harness.Forever))
	b.Running("second")
	for _, process := range []string{"1", "self"} {
		if got := limits("first", process); got != "5 5\n77 88" {
			t.Errorf("process %s of the first has %q", process, got)
		}
		if got := limits("second", process); !strings.HasPrefix(got, "0 unlimited\n1024 ") {
			t.Errorf("process %s of the second has %q", process, got)
		}
	}
}
