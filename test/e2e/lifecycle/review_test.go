package lifecycle

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

	"podd/test/harness"
	"podd/test/lab"
)

// A container that cannot be configured is shown so and tried again, also where restartPolicy is Never: it has not
// run yet, so that there is nothing that must not be run again.
func TestNeverIsNoReasonNotToBegin(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("root", harness.OnePod("root", "id", "restartPolicy: Never", "securityContext: {runAsNonRoot: true}"))
	b.WaitPod("root", harness.IsWaiting("main", "CreateContainerConfigError"))
	pod := b.WaitPod("root", func(pod *corev1.Pod) string {
		c := harness.ContainerStatus(pod, "main")
		if c.State.Waiting == nil || !strings.Contains(c.State.Waiting.Message, "runAsNonRoot") {
			return "the reason is not told"
		}
		return ""
	})
	if pod.Status.Phase != corev1.PodPending || harness.ContainerStatus(pod, "main").RestartCount != 0 {
		t.Errorf("phase %s, %d restarts", pod.Status.Phase, harness.ContainerStatus(pod, "main").RestartCount)
	}
	b.MustRemove("root")
	b.Gone("root")
	b.Cleared()
}

// A container may close its terminal and open it again; what it writes then is logged, and it is not held up.
func TestTerminalIsOpenedAgain(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	script := "echo one; exec </dev/null >/dev/null 2>&1; echo two >/dev/console; seq 20000 >/dev/console; echo three >/dev/console; exit 7"
	b.MustDrop("tty", harness.PodOf("tty", "restartPolicy: Never", harness.ContainerOf("main", script, "tty: true")))
	pod := b.WaitPod("tty", harness.IsPhase(corev1.PodFailed))
	if got := harness.Ended(pod, "main"); got == nil || got.ExitCode != 7 {
		t.Errorf("it ended as %+v", got)
	}
	text := strings.ReplaceAll(b.LogsOf("tty"), "\r", "")
	lines := strings.Fields(text)
	if len(lines) != 20003 || lines[0] != "one" || lines[1] != "two" || lines[20002] != "three" {
		t.Errorf("%d lines, from %q to %q", len(lines), lines[:min(3, len(lines))], lines[max(0, len(lines)-3):])
	}
}

// A daemon with folders of its own may still not take the bridge or the cgroups of another: each would remove the
// other's pods.
func TestSecondDaemonWithItsOwnFolders(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	before := b.Running("app")
	dir := t.TempDir()
	args := []string{harness.Suite.Podd, "run"}
	for _, flag := range []string{"manifests", "images", "root", "run-dir", "log-dir"} {
		args = append(args, "--"+flag, filepath.Join(dir, flag))
	}
	args = append(args, "--socket", filepath.Join(dir, "socket"), "--config", os.DevNull, "--cgroup-root", cgroupRoot(b)+"-other")
	output, err := b.In(args...).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "the bridge podd0 belongs to another podd, process ") {
		t.Errorf("%v: %s", err, output)
	}
	b.Sh("app", "main", "ip route | grep -q default")
	if after := b.MustPod("app"); harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID {
		t.Error("the pod was started anew")
	}
}

// A second daemon may share none of the folders with the first: it would take pods away that it does not know. It says who
// has the folder. That does not depend on a file which somebody who tidies up removes.
func TestSecondDaemonWithTheSameFolder(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.PodOf("app", "volumes: [{name: cache, emptyDir: {}}]\n", harness.Mounting("main", "echo kept >/cache/file; "+harness.Forever, "{name: cache, mountPath: /cache}")))
	b.Running("app")
	for _, folder := range []string{b.Root, b.Run} {
		entries, err := os.ReadDir(folder)
		b.Must(err)
		for _, e := range entries {
			if e.Type().IsRegular() {
				b.Must(os.Remove(filepath.Join(folder, e.Name())))
			}
		}
	}
	for flag, folder := range map[string]string{"--root": b.Root, "--run-dir": b.Run, "--log-dir": b.Logs} {
		dir := t.TempDir()
		args := []string{
			harness.Suite.Podd, "run", "--manifests", filepath.Join(dir, "manifests"), "--images", filepath.Join(dir, "images"), "--socket", filepath.Join(dir, "socket"),
			"--config", os.DevNull, "--cgroup-root", cgroupRoot(b) + "-other", "--bridge", "podd9", "--pod-cidr", "10.219.0.0/24",
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
	if got := b.Sh("app", "main", "cat /cache/file"); got != "kept" {
		t.Errorf("the emptyDir has %q", got)
	}
}

// Names that any process may take keep podd from nothing: a user without rights has bound those of an earlier podd's locks.
func TestNamesThatOthersTake(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.LoadImages("busybox.tar")
	b.Must(lab.InNetns(b.Netns(), func() error {
		for _, name := range []string{"@podd/bridge podd0", "@podd/cgroups " + cgroupRoot(b)} {
			l, err := net.Listen("unix", name)
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
		}
		return nil
	}))
	b.MustStart()
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
}

// A boot-id that is gone, or that names another boot, says nothing against pods that run.
func TestBootIDIsLost(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	before := b.Running("app")
	file := filepath.Join(b.Run, "boot-id")
	for what, lose := range map[string]func() error{
		"removed":           func() error { return os.Remove(file) },
		"emptied":           func() error { return os.Truncate(file, 0) },
		"that of elsewhere": func() error { return os.WriteFile(file, []byte("11111111-2222-3333-4444-555555555555\n"), 0o600) },
	} {
		b.MustKill9()
		b.Must(lose())
		b.MustStart()
		after := b.Running("app")
		if before.UID != after.UID || harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID {
			t.Errorf("%s: the pod was started anew", what)
		}
		if b.Sh("app", "main", "echo alive") != "alive" {
			t.Errorf("%s: no command runs", what)
		}
	}
}

// cgroupRoot is the daemon's --cgroup-root.
func cgroupRoot(b *harness.Board) string {
	args := b.RunArgs()
	return args[slices.Index(args, "--cgroup-root")+1]
}

// When the first process of a shared namespace is killed, the containers end with it, and start again in a new one.
func TestSharedNamespaceIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("share", harness.PodOf("share", "shareProcessNamespace: true", harness.ContainerOf("main", harness.Forever)))
	b.Running("share")
	if got := b.Sh("share", "main", "cat /proc/1/cmdline | tr '\\0' ' '"); !strings.HasPrefix(got, "/pause") {
		t.Errorf("the first process is %q", got)
	}
	_, _, _ = b.RunCLI("exec", "share", "-c", "main", "--", "kill", "-TERM", "1")
	b.WaitPod("share", harness.HasRestarted("main", 1))
	b.Running("share")
	b.Sh("share", "main", "true")
	b.MustRemove("share")
	b.Gone("share")
	b.Cleared()
}

// A sandbox that cannot be made leaves nothing when its pod goes.
func TestExhaustedAddressesLeaveNothing(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithArgs("--pod-cidr", "10.99.0.0/29")) // five addresses beside the bridge's
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		b.MustDrop(name, harness.OnePod(name, harness.Forever))
	}
	for _, name := range names {
		b.Running(name)
	}
	b.MustDrop("late", harness.OnePod("late", harness.Forever))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		return strings.Contains(b.CLI("get", "events"), "FailedCreatePodSandBox"), errString("the exhausted range is not told")
	}))
	for _, name := range append(names, "late") {
		b.MustRemove(name)
		b.Gone(name)
	}
	b.Cleared()
}

type errString string

func (e errString) Error() string { return string(e) }

// A grace that has begun ends sooner when the board stops.
func TestStopShortensGrace(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithArgs("--config", harness.ConfigWith(t, "shutdownGracePeriod: 1s\n")))
	b.MustDrop("deaf", replaceGrace(harness.OnePod("deaf", "trap '' TERM; echo up; while :; do sleep 1; done"), "terminationGracePeriodSeconds: 3600"))
	b.Running("deaf")
	b.Logged("deaf", "main", "up")
	b.MustRemove("deaf")
	b.WaitPod("deaf", func(pod *corev1.Pod) string {
		if pod.DeletionTimestamp == nil {
			return "it is not being deleted"
		}
		return ""
	})
	done := make(chan struct{})
	go func() { b.MustStop(); close(done) }()
	select {
	case <-done:
	case <-time.After(harness.Limit):
		t.Error("the daemon waits for the old grace")
		b.MustKill9()
	}
}

// The attempts of a pod go on after a reboot, each with a log of its own.
func TestAttemptsGoOnAfterAReboot(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo started; "+harness.Forever))
	b.Running("app")
	b.Logged("app", "main", "started")
	b.MustReboot()
	b.MustStart()
	b.WaitPod("app", harness.HasRestarted("main", 1))
	b.Running("app")
	b.Logged("app", "main", "started")
	if got := strings.Count(b.LogsOf("app"), "started"); got != 1 {
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
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", "echo before; trap 'exit 0' TERM; while :; do echo tick; sleep 0.2; done"))
	before := b.Running("app")
	b.Logged("app", "main", "before")
	b.MustKill9()
	states, err := filepath.Glob(filepath.Join(b.Dir, "run", "io", "*", "spool.state"))
	if err != nil || len(states) == 0 {
		t.Fatalf("no spool: %v, %v", states, err)
	}
	for _, path := range states {
		if err := os.WriteFile(path, []byte("of another layout"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.MustStart()
	after := b.Running("app")
	if harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID {
		t.Error("the container was started anew")
	}
	ticks := strings.Count(b.LogsOf("app"), "tick")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		return strings.Count(b.LogsOf("app"), "tick") > ticks, errString("its log has ended")
	}))
	b.MustRemove("app")
	b.Gone("app")
	b.Cleared()
}

// A pod that has ended for good is not run again by a reboot, nor by a stop and a start; its end is still told.
func TestADonePodStaysDone(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("job", harness.OnePod("job", "echo ran >/dev/termination-log; exit 3", "restartPolicy: Never"))
	before := b.WaitPod("job", harness.IsPhase(corev1.PodFailed))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		kept, _ := filepath.Glob(filepath.Join(b.Dir, "lib", "finished", "*.json"))
		return len(kept) == 1, errString("its end is not kept")
	}))
	for _, again := range []func(){
		func() { b.MustReboot(); b.MustStart() },
		func() { b.MustStop(); b.MustStart() },
	} {
		again()
		after := b.WaitPod("job", harness.IsPhase(corev1.PodFailed))
		got, want := harness.Ended(after, "main"), harness.Ended(before, "main")
		if got.ExitCode != 3 || got.Message != "ran\n" || !got.FinishedAt.Equal(&want.FinishedAt) || harness.ContainerStatus(after, "main").RestartCount != 0 {
			t.Errorf("told as %+v, was %+v", got, want)
		}
	}
	b.MustRemove("job")
	b.Gone("job")
	b.MustDrop("job", harness.OnePod("job", "echo ran >/dev/termination-log; exit 3", "restartPolicy: Never"))
	b.WaitPod("job", func(pod *corev1.Pod) string {
		if got := harness.Ended(pod, "main"); got == nil || got.ContainerID == harness.Ended(before, "main").ContainerID {
			return "it has not run again, though its manifest was removed and came back"
		}
		return ""
	})
	if got := harness.ContainerStatus(b.MustPod("job"), "main").RestartCount; got != 0 {
		t.Errorf("the new pod has %d restarts", got)
	}
}
