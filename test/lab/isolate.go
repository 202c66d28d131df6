package lab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageVar tells the re-executed program how far it is.
const stageVar = "PODD_LAB_STAGE"

// cgroupVar carries the cgroup's path into it.
const cgroupVar = "PODD_LAB_CGROUP"

// Isolate re-executes the running program in mount, network and PID namespaces of its own and in a cgroup of its own,
// so that nothing it makes outlives it. It returns only in the innermost process, with that cgroup. The outer process
// calls done with the exit code of the inner one before it exits with what done returns.
//
// PID 1 of the namespace does nothing but reap: a container that outlives its daemon is an orphan, and orphans need
// an init that takes their exit status away, as systemd does.
func Isolate(done func(code int) int) *Cgroup {
	switch os.Getenv(stageVar) {
	case "":
		os.Exit(done(outer()))
	case "init":
		os.Exit(initStage())
	}
	group, err := openCgroup(os.Getenv(cgroupVar))
	if err != nil {
		fail(err)
	}
	return group
}

// RunName is the name of the run of tests, by which hack/leaks.sh tells what it has left from what others have on the
// machine. Without hack/test.sh it is one of its own: process IDs are not unique over PID namespaces.
func RunName() string {
	const variable = "PODD_TEST_RUN"
	if os.Getenv(variable) == "" {
		_ = os.Setenv(variable, fmt.Sprintf("%08x", rand.Uint32())) // for the processes that follow, too
	}
	return os.Getenv(variable)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "lab:", err)
	os.Exit(1)
}

// again starts the running program once more.
func again(stage string, attributes *syscall.SysProcAttr) (*os.Process, error) {
	// Set, not appended to a copy: of two values of one name the first counts.
	if err := os.Setenv(stageVar, stage); err != nil {
		return nil, err
	}
	argv := append([]string{"/proc/self/exe"}, os.Args[1:]...)
	return os.StartProcess(argv[0], argv, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Env: os.Environ(), Sys: attributes,
	})
}

func outer() int {
	group, err := NewCgroup("podd-lab-" + RunName() + "-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		fail(err)
	}
	_ = os.Setenv(cgroupVar, group.Path())
	process, err := again("init", &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	})
	if err != nil {
		fail(fmt.Errorf("cannot enter namespaces: %w", err))
	}
	forward(process.Signal)
	state, err := process.Wait()
	if err != nil {
		fail(err)
	}
	if err := group.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return state.ExitCode()
}

// initStage is PID 1 of the namespace.
func initStage() int {
	if err := prepareNamespaces(); err != nil {
		fail(err)
	}
	process, err := again("inner", nil)
	if err != nil {
		fail(err)
	}
	forward(process.Signal)
	return reapUntil(process.Pid)
}

func forward(send func(os.Signal) error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	go func() {
		for s := range signals {
			_ = send(s)
		}
	}()
}

// reapUntil collects every child that ends and returns the exit code of the one asked for.
func reapUntil(pid int) int {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 1
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal())
		case ended == pid:
			return status.ExitStatus()
		}
	}
}

func prepareNamespaces() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount proc: %w", err)
	}
	if err := coverLocks(); err != nil {
		return err
	}
	return raiseLoopback()
}

// coverLocks hides podd's locks for the whole machine, and takes those of the tests away with them.
func coverLocks() error {
	const locks = "/run/podd.locks"
	if err := os.Mkdir(locks, 0o700); err != nil && !os.IsExist(err) {
		return fmt.Errorf("cannot make the folder of locks: %w", err)
	}
	if err := unix.Mount("podd-locks", locks, "tmpfs", 0, "mode=700"); err != nil {
		return fmt.Errorf("cannot mount a tmpfs for locks: %w", err)
	}
	return nil
}

// raiseLoopback sets lo up in the calling thread's network namespace.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("cannot set lo up: %w", err)
	}
	return nil
}
