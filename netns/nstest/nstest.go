// Package nstest runs the tests of a package in namespaces of their own.
package nstest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/netns/rtnetlink"
)

// InsideEnv marks the copy of the test binary that runs in namespaces of its own.
const InsideEnv = "PODD_NETNS_TEST_INSIDE"

// Main runs everything a second time removed from the machine: a copy of this binary with
// its own network and mount namespaces, so that nothing is left behind and nothing is sent out.
func Main(m *testing.M) {
	if os.Getenv(InsideEnv) != "" {
		upLoopback()
	}
	if os.Getenv(InsideEnv) != "" || os.Geteuid() != 0 || fuzzing() {
		os.Exit(m.Run())
	}
	outer, err := os.Open("/proc/self/ns/net")
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), InsideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{outer}
	// Unshareflags, not Cloneflags: it makes the mounts private.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET,
		Pdeathsig:    syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	}
	panic(err)
}

func upLoopback() {
	c, err := rtnetlink.Dial()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	if _, err := c.Do(rtnetlink.SetUp(rtnetlink.LoopbackIndex)); err != nil {
		panic(err)
	}
}

// OuterNetns is the descriptor of the machine's network namespace.
const OuterNetns = 3

// fuzzing: the fuzzer talks to its workers over descriptors, and its targets are pure.
func fuzzing() bool {
	for _, a := range os.Args[1:] {
		if strings.HasPrefix(a, "-test.fuzzworker") || strings.HasPrefix(a, "-test.fuzz=") {
			return true
		}
	}
	return false
}

// NeedRoot skips a test that runs outside.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getenv(InsideEnv) == "" {
		t.Skip("needs root: makes namespaces of its own")
	}
}

// SandboxRoot is a parent for sandboxes; it takes away what a test leaves in it.
func SandboxRoot(t testing.TB, remove func(dir string) error) string {
	t.Helper()
	NeedRoot(t)
	root := filepath.Join(t.TempDir(), "ns")
	t.Cleanup(func() {
		dirs, _ := filepath.Glob(root + "/*")
		for _, dir := range dirs {
			if err := remove(dir); err != nil {
				t.Error(err)
			}
		}
		for unix.Unmount(root, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil {
		}
	})
	return root
}

// Eventually waits until something holds.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
