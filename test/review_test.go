package test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// A container that cannot be configured is shown so and tried again, also where restartPolicy is Never: it has not
// run yet, so that there is nothing that must not be run again.
func TestNeverIsNoReasonNotToBegin(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("root", onePod("root", "id", "restartPolicy: Never", "securityContext: {runAsNonRoot: true}"))
	b.wait("root", isWaiting("main", "CreateContainerConfigError"))
	pod := b.wait("root", func(pod *corev1.Pod) string {
		c := containerStatus(pod, "main")
		if c.State.Waiting == nil || !strings.Contains(c.State.Waiting.Message, "runAsNonRoot") {
			return "the reason is not told"
		}
		return ""
	})
	if pod.Status.Phase != corev1.PodPending || containerStatus(pod, "main").RestartCount != 0 {
		t.Errorf("phase %s, %d restarts", pod.Status.Phase, containerStatus(pod, "main").RestartCount)
	}
	b.remove("root")
	b.gone("root")
	b.cleared()
}

// A container may close its terminal and open it again; what it writes then is logged, and it is not held up.
func TestTerminalIsOpenedAgain(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	script := "echo one; exec </dev/null >/dev/null 2>&1; echo two >/dev/console; seq 20000 >/dev/console; echo three >/dev/console; exit 7"
	b.drop("tty", podOf("tty", "restartPolicy: Never", containerOf("main", script, "tty: true")))
	pod := b.wait("tty", isPhase(corev1.PodFailed))
	if got := ended(pod, "main"); got == nil || got.ExitCode != 7 {
		t.Errorf("it ended as %+v", got)
	}
	text := strings.ReplaceAll(b.logs("tty"), "\r", "")
	lines := strings.Fields(text)
	if len(lines) != 20003 || lines[0] != "one" || lines[1] != "two" || lines[20002] != "three" {
		t.Errorf("%d lines, from %q to %q", len(lines), lines[:min(3, len(lines))], lines[max(0, len(lines)-3):])
	}
}

// A daemon with folders of its own may still not take the bridge or the cgroups of another: each would remove the
// other's pods.
func TestSecondDaemonWithItsOwnFolders(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	before := b.running("app")
	dir := t.TempDir()
	args := []string{suite.podd, "run"}
	for _, flag := range []string{"manifests", "images", "root", "run-dir", "log-dir"} {
		args = append(args, "--"+flag, filepath.Join(dir, flag))
	}
	args = append(args, "--socket", filepath.Join(dir, "socket"), "--config", os.DevNull, "--cgroup-root", b.cgroupRoot()+"-other")
	output, err := b.In(args...).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "the bridge podd0 belongs to another podd, process ") {
		t.Errorf("%v: %s", err, output)
	}
	b.sh("app", "main", "ip route | grep -q default")
	if after := b.pod("app"); containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
		t.Error("the pod was started anew")
	}
}

// A second daemon may share none of the folders with the first: it would take pods away that it does not know. It says who
// has the folder. That does not depend on a file which somebody who tidies up removes.
func TestSecondDaemonWithTheSameFolder(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", podOf("app", "volumes: [{name: cache, emptyDir: {}}]\n", mounting("main", "echo kept >/cache/file; "+forever, "{name: cache, mountPath: /cache}")))
	b.running("app")
	for _, folder := range []string{b.Root, b.Run} {
		entries, err := os.ReadDir(folder)
		b.must(err)
		for _, e := range entries {
			if e.Type().IsRegular() {
				b.must(os.Remove(filepath.Join(folder, e.Name())))
			}
		}
	}
	for flag, folder := range map[string]string{"--root": b.Root, "--run-dir": b.Run, "--log-dir": b.Logs} {
		dir := t.TempDir()
		args := []string{
			suite.podd, "run", "--manifests", filepath.Join(dir, "manifests"), "--images", filepath.Join(dir, "images"), "--socket", filepath.Join(dir, "socket"),
			"--config", os.DevNull, "--cgroup-root", b.cgroupRoot() + "-other", "--bridge", "podd9", "--pod-cidr", "10.219.0.0/24",
		}
		for _, f := range []string{"--root", "--run-dir", "--log-dir"} {
			if f == flag {
				args = append(args, f, folder)
			} else {
				args = append(args, f, filepath.Join(dir, f))
			}
		}
		output, err := b.In(args...).CombinedOutput()
		want := fmt.Sprintf("%s %s belongs to another podd, process %d (", flag, folder, b.Pid())
		if err == nil || !strings.Contains(string(output), want) {
			t.Errorf("%s: %v: want %q in\n%s", flag, err, want, output)
		}
	}
	if got := b.sh("app", "main", "cat /cache/file"); got != "kept" {
		t.Errorf("the emptyDir has %q", got)
	}
}

// Names that any process may take keep podd from nothing: a user without rights has bound those of an earlier podd's locks.
func TestNamesThatOthersTake(t *testing.T) {
	t.Parallel()
	b := newEmptyBoard(t)
	b.loadImages("busybox.tar")
	b.must(lab.InNetns(b.Netns(), func() error {
		for _, name := range []string{"@podd/bridge podd0", "@podd/cgroups " + b.cgroupRoot()} {
			l, err := net.Listen("unix", name)
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
		}
		return nil
	}))
	b.start()
	b.drop("app", onePod("app", forever))
	b.running("app")
}

// A boot-id that is gone, or that names another boot, says nothing against pods that run.
func TestBootIDIsLost(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	before := b.running("app")
	file := filepath.Join(b.Run, "boot-id")
	for what, lose := range map[string]func() error{
		"removed":           func() error { return os.Remove(file) },
		"emptied":           func() error { return os.Truncate(file, 0) },
		"that of elsewhere": func() error { return os.WriteFile(file, []byte("11111111-2222-3333-4444-555555555555\n"), 0o600) },
	} {
		b.kill9()
		b.must(lose())
		b.start()
		after := b.running("app")
		if before.UID != after.UID || containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
			t.Errorf("%s: the pod was started anew", what)
		}
		if b.sh("app", "main", "echo alive") != "alive" {
			t.Errorf("%s: no command runs", what)
		}
	}
}

// cgroupRoot is the daemon's --cgroup-root.
func (b *Board) cgroupRoot() string {
	args := b.RunArgs()
	return args[slices.Index(args, "--cgroup-root")+1]
}

// When the first process of a shared namespace is killed, the containers end with it, and start again in a new one.
func TestSharedNamespaceIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("share", podOf("share", "shareProcessNamespace: true", containerOf("main", forever)))
	b.running("share")
	if got := b.sh("share", "main", "cat /proc/1/cmdline | tr '\\0' ' '"); !strings.HasPrefix(got, "/pause") {
		t.Errorf("the first process is %q", got)
	}
	_, _, _ = b.run("exec", "share", "-c", "main", "--", "kill", "-TERM", "1")
	b.wait("share", hasRestarted("main", 1))
	b.running("share")
	b.sh("share", "main", "true")
	b.remove("share")
	b.gone("share")
	b.cleared()
}

// A sandbox that cannot be made leaves nothing when its pod goes.
func TestExhaustedAddressesLeaveNothing(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withArgs("--pod-cidr", "10.99.0.0/29")) // five addresses beside the bridge's
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		b.drop(name, onePod(name, forever))
	}
	for _, name := range names {
		b.running(name)
	}
	b.drop("late", onePod("late", forever))
	b.must(lab.Poll(limit, func() (bool, error) {
		return strings.Contains(b.podd("get", "events"), "FailedCreatePodSandBox"), errString("the exhausted range is not told")
	}))
	for _, name := range append(names, "late") {
		b.remove(name)
		b.gone(name)
	}
	b.cleared()
}

type errString string

func (e errString) Error() string { return string(e) }

// A grace that has begun ends sooner when the board stops.
func TestStopShortensGrace(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withArgs("--config", configWith(t, "shutdownGracePeriod: 1s\n")))
	b.drop("deaf", replaceGrace(onePod("deaf", "trap '' TERM; echo up; while :; do sleep 1; done"), "terminationGracePeriodSeconds: 3600"))
	b.running("deaf")
	b.logged("deaf", "main", "up")
	b.remove("deaf")
	b.wait("deaf", func(pod *corev1.Pod) string {
		if pod.DeletionTimestamp == nil {
			return "it is not being deleted"
		}
		return ""
	})
	done := make(chan struct{})
	go func() { b.stop(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Error("the daemon waits for the old grace")
		b.kill9()
	}
}

func configWith(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The attempts of a pod go on after a reboot, each with a log of its own.
func TestAttemptsGoOnAfterAReboot(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", "echo started; "+forever))
	b.running("app")
	b.logged("app", "main", "started")
	b.reboot()
	b.start()
	b.wait("app", hasRestarted("main", 1))
	b.running("app")
	b.logged("app", "main", "started")
	if got := strings.Count(b.logs("app"), "started"); got != 1 {
		t.Errorf("the log of this boot has %d lines", got)
	}
	files, err := filepath.Glob(filepath.Join(b.Dir, "log", "default_app_*", "main", "*.log"))
	if err != nil || len(files) != 2 {
		t.Errorf("logs of two boots: %v, %v", files, err)
	}
}

// A daemon that cannot use what the one before has left of a log loses some lines at most: the container goes on,
// its later lines are logged, and it can be stopped.
func TestAdoptionWithoutTheSpool(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", "echo before; trap 'exit 0' TERM; while :; do echo tick; sleep 0.2; done"))
	before := b.running("app")
	b.logged("app", "main", "before")
	b.kill9()
	states, err := filepath.Glob(filepath.Join(b.Dir, "run", "io", "*", "spool.state"))
	if err != nil || len(states) == 0 {
		t.Fatalf("no spool: %v, %v", states, err)
	}
	for _, path := range states {
		if err := os.WriteFile(path, []byte("of another layout"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.start()
	after := b.running("app")
	if containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
		t.Error("the container was started anew")
	}
	ticks := strings.Count(b.logs("app"), "tick")
	b.must(lab.Poll(limit, func() (bool, error) {
		return strings.Count(b.logs("app"), "tick") > ticks, errString("its log has ended")
	}))
	b.remove("app")
	b.gone("app")
	b.cleared()
}

// A pod that has ended for good is not run again by a reboot, nor by a stop and a start; its end is still told.
func TestADonePodStaysDone(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("job", onePod("job", "echo ran >/dev/termination-log; exit 3", "restartPolicy: Never"))
	before := b.wait("job", isPhase(corev1.PodFailed))
	b.must(lab.Poll(limit, func() (bool, error) {
		kept, _ := filepath.Glob(filepath.Join(b.Dir, "lib", "finished", "*.json"))
		return len(kept) == 1, errString("its end is not kept")
	}))
	for _, again := range []func(){
		func() { b.reboot(); b.start() },
		func() { b.stop(); b.start() },
	} {
		again()
		after := b.wait("job", isPhase(corev1.PodFailed))
		got, want := ended(after, "main"), ended(before, "main")
		if got.ExitCode != 3 || got.Message != "ran\n" || !got.FinishedAt.Equal(&want.FinishedAt) || containerStatus(after, "main").RestartCount != 0 {
			t.Errorf("told as %+v, was %+v", got, want)
		}
	}
	b.remove("job")
	b.gone("job")
	b.drop("job", onePod("job", "echo ran >/dev/termination-log; exit 3", "restartPolicy: Never"))
	b.wait("job", func(pod *corev1.Pod) string {
		if got := ended(pod, "main"); got == nil || got.ContainerID == ended(before, "main").ContainerID {
			return "it has not run again, though its manifest was removed and came back"
		}
		return ""
	})
	if got := containerStatus(b.pod("job"), "main").RestartCount; got != 0 {
		t.Errorf("the new pod has %d restarts", got)
	}
}
