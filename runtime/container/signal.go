package container

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container/process"
)

// killPatience is how long a process may take to die of SIGKILL: longer only if the kernel itself is stuck.
const killPatience = 5 * time.Second

// Kill ends the container's first process and waits for its end. What is gone counts as killed.
func (e *Engine) Kill(id string) error {
	found, err := e.Find(id)
	if err != nil || found == nil {
		return err
	}
	if found.PIDFD == nil {
		_, _ = process.TryWait(found.PID, nil)
		return nil
	}
	defer closeFile(found.PIDFD)
	fd := int(found.PIDFD.Fd())
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot kill container %s: %w", id, err)
	}
	e.ReapLost()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(killPatience/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n == 0 || err != nil {
			return fmt.Errorf("container %s does not die: %w", id, err)
		}
		// Our own child is a zombie until it is waited for; another's is none of ours.
		_, _ = process.TryWait(found.PID, nil)
		return nil
	}
}
