package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/container/process"
	"podd/runtime/container/spec"
)

// testEngine is an engine in folders of its own with a busybox layer.
func testEngine(t testing.TB) (*Engine, spec.Image) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs /bin/busybox of Debian's busybox-static")
	}
	t.Cleanup(removeTestCgroup)
	dir := t.TempDir()
	layer := filepath.Join(dir, "layer")
	for _, sub := range []string{"bin", "etc", "proc", "sys", "dev", "tmp"} {
		if err := os.MkdirAll(filepath.Join(layer, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(layer, "bin/busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "true", "sleep", "cat", "id"} {
		if err := os.Symlink("busybox", filepath.Join(layer, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	e := &Engine{
		StateDir: filepath.Join(dir, "state"), IODir: filepath.Join(dir, "io"), RootDir: filepath.Join(dir, "roots"), MountDir: filepath.Join(dir, "mounts"),
		RemoveTree: os.RemoveAll,
	}
	return e, spec.Image{ID: "sha256:test", Layers: []string{layer}}
}

func testConfig(image spec.Image, id string, command ...string) *spec.Config {
	return &spec.Config{
		ID:        id,
		Pod:       &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "default"}},
		Container: &corev1.Container{Name: "c", Image: "test", Command: command, TerminationMessagePath: "/dev/termination-log"},
		Image:     image,
		Sandbox:   spec.Sandbox{CgroupPath: testCgroup(), Hostname: "p"},
	}
}

func runToEnd(t testing.TB, e *Engine, c *spec.Config) process.ExitStatus {
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
	waitDead(t, p)
	status, err := process.Reap(p.PID, p.StartTime, int(p.PIDFD.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Remove(c.ID); err != nil {
		t.Fatal(err)
	}
	if err := e.RemoveIO(c.ID); err != nil {
		t.Fatal(err)
	}
	return status
}

func waitDead(t testing.TB, p *Process) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(p.PIDFD.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int((20*time.Second)/time.Millisecond)); n != 1 {
		t.Fatalf("process %d still runs (%v)", p.PID, err)
	}
}

func TestExitStatusOfAContainer(t *testing.T) {
	e, image := testEngine(t)
	for _, tc := range []struct {
		script string
		want   process.ExitStatus
	}{
		{"exit 0", process.ExitStatus{}},
		{"exit 42", process.ExitStatus{Code: 42}},
		{"exit 255", process.ExitStatus{Code: 255}},
	} {
		got := runToEnd(t, e, testConfig(image, "c0", "/bin/sh", "-c", tc.script))
		if got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.script, got, tc.want)
		}
	}
}

// testCgroup is the parent of the tests' containers.
func testCgroup() string {
	return fmt.Sprintf("/podd-test-%s-%d", os.Getenv("PODD_TEST_RUN"), os.Getpid())
}

func removeTestCgroup() {
	for _, hierarchies := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		dirs, _ := filepath.Glob(hierarchies + testCgroup())
		for _, dir := range dirs {
			_ = os.Remove(dir)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	e, image := testEngine(b)
	i := 0
	for b.Loop() {
		runToEnd(b, e, testConfig(image, fmt.Sprintf("b%d", i), "/bin/true"))
		i++
	}
}

// Who is to keep a container's descriptors has them before its command can have ended.
func TestHeldBeforeItBegins(t *testing.T) {
	e, image := testEngine(t)
	c := testConfig(image, "x1", "/bin/true")
	stdio, err := e.OpenStdio(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer stdio.Close()
	var held *Process
	p, err := e.Start(c, func(p *Process) error {
		held = p
		if alive, err := process.Alive(int(p.PIDFD.Fd())); err != nil || !alive || !isInit(p.PID) {
			t.Errorf("the command has begun: alive %v, %v", alive, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if p != held {
		t.Error("another process is held than was started")
	}
	defer p.PIDFD.Close()
	waitDead(t, p)
	if status, err := process.Reap(p.PID, p.StartTime, int(p.PIDFD.Fd())); err != nil || status.Code != 0 {
		t.Errorf("it ended with %+v, %v", status, err)
	}
	if err := e.Remove(c.ID); err != nil {
		t.Error(err)
	}
	// Whoever cannot keep them has no container.
	full := errors.New("full")
	if _, err := e.Start(c, func(p *Process) error { _ = p.PIDFD.Close(); return full }); !errors.Is(err, full) {
		t.Errorf("it was started: %v", err)
	}
	if f, err := e.Find(c.ID); err != nil || f != nil && f.PIDFD != nil {
		t.Errorf("it runs: %+v, %v", f, err)
	}
	if err := e.Remove(c.ID); err != nil {
		t.Error(err)
	}
}

// What is mounted later on the machine does not show in a container, nor the other way round: none of its mounts has peers.
func TestMountsArePrivate(t *testing.T) {
	e, image := testEngine(t)
	shared, out := t.TempDir(), t.TempDir()
	mount := func(source, target, fs string, flags uintptr) {
		t.Helper()
		if err := unix.Mount(source, target, fs, flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	mount("tmpfs", shared, "tmpfs", 0)
	t.Cleanup(func() { _ = unix.Unmount(shared, unix.MNT_DETACH) })
	mount("", shared, "", unix.MS_SHARED)
	c := testConfig(image, "private", "sh", "-c", "cat /proc/self/mountinfo > /out/mounts")
	c.Mounts = []spec.Mount{{Source: shared, Destination: "/shared"}, {Source: out, Destination: "/out"}}
	if status := runToEnd(t, e, c); status.Code != 0 {
		t.Fatalf("%+v", status)
	}
	mounts, err := os.ReadFile(filepath.Join(out, "mounts"))
	if err != nil || !strings.Contains(string(mounts), " /shared ") {
		t.Fatalf("%v in %s", err, mounts)
	}
	for line := range strings.Lines(string(mounts)) {
		if before, _, _ := strings.Cut(line, " - "); len(strings.Fields(before)) != 6 {
			t.Errorf("it has peers: %s", line)
		}
	}
}
