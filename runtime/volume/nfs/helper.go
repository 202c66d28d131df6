package nfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// helperName is what this binary is called when it is to make one system call about a mount (runtime/container/reexec).
const helperName = "/podd-mount"

// grace is how long a process may take to die of SIGKILL before it is left behind.
const grace = time.Second

// call has a process make one system call and waits for it until ctx ends. It is then killed, and left behind if the kernel does
// not let it die. It dies with podd, too. held stays open in the process as long as that lives; it may be nil.
func call(ctx context.Context, held *os.File, args ...string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot start a process that mounts: %w", err)
	}
	defer func() { _ = null.Close() }()
	files := []*os.File{null, null, null}
	if held != nil {
		files = append(files, held)
	}
	result := make(chan error, 1)
	started := make(chan *os.Process, 1)
	go func() {
		// man 2 PR_SET_PDEATHSIG: it is the end of the thread that counts.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p, err := os.StartProcess("/proc/self/exe", append([]string{helperName}, args...), &os.ProcAttr{
			Dir: "/", Env: []string{}, Files: files, Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
		})
		if err != nil {
			result <- fmt.Errorf("cannot start a process that mounts: %w", err)
			return
		}
		started <- p
		result <- outcome(p.Wait())
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	patience := time.After(grace)
	for {
		select {
		case p := <-started:
			_ = p.Kill()
		case err := <-result:
			if err == nil {
				return nil // in the last moment
			}
			return ErrNoAnswer
		case <-patience:
			return ErrNoAnswer
		}
	}
}

// outcome reads how the process ended: its exit status is the error of the system call.
func outcome(state *os.ProcessState, err error) error {
	if err != nil {
		return err
	}
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled():
		return ErrNoAnswer
	case status.ExitStatus() != 0:
		return unix.Errno(status.ExitStatus())
	}
	return nil
}

func callMount(ctx context.Context, held *os.File, source, target string, flags uintptr, data string) error {
	return call(ctx, held, "mount", source, target, "nfs", strconv.FormatUint(uint64(flags), 10), data)
}

func callUnmount(ctx context.Context, target string, flags int) error {
	return call(ctx, nil, "umount", target, strconv.Itoa(flags))
}

// callForce lets all that waits for the server of a mount fail, and leaves the mount.
func callForce(ctx context.Context, target string) error {
	err := call(ctx, nil, "force", target)
	if errors.Is(err, unix.EBUSY) {
		return nil
	}
	return err
}

// callLook asks the server about the root of a mount.
func callLook(ctx context.Context, target string) error { return call(ctx, nil, "look", target) }
