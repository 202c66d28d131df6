package netns

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideEnv marks the copy of the test binary that runs in namespaces of its own.
const insideEnv = "PODD_NETNS_TEST_INSIDE"

// TestMain runs everything a second time removed from the machine: a copy of this binary with
// its own network and mount namespaces, so that nothing is left behind and nothing is sent out.
func TestMain(m *testing.M) {
	if os.Getenv(insideEnv) != "" {
		if err := upLoopback(); err != nil {
			panic(err)
		}
	}
	if os.Getenv(insideEnv) != "" || os.Geteuid() != 0 || fuzzing() {
		os.Exit(m.Run())
	}
	outer, err := os.Open("/proc/self/ns/net")
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
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

// outerNetns is the descriptor of the machine's network namespace.
const outerNetns = 3

// fuzzing: the fuzzer talks to its workers over descriptors, and its targets are pure.
func fuzzing() bool {
	for _, a := range os.Args[1:] {
		if strings.HasPrefix(a, "-test.fuzzworker") || strings.HasPrefix(a, "-test.fuzz=") {
			return true
		}
	}
	return false
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getenv(insideEnv) == "" {
		t.Skip("needs root: makes namespaces of its own")
	}
}
