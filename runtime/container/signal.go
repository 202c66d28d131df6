package container

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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
		_, _ = wait4(found.PID, nil)
		return nil
	}
	defer closeFile(found.PIDFD)
	fd := int(found.PIDFD.Fd())
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot kill container %s: %w", id, err)
	}
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
		_, _ = wait4(found.PID, nil)
		return nil
	}
}

// ParseSignal reads an image's STOPSIGNAL: a name with or without SIG, a number, or SIGRTMIN+n. What is
// empty or not understood is SIGTERM, as for the engines that images are made for.
func ParseSignal(s string) unix.Signal {
	name := strings.ToUpper(strings.TrimSpace(s))
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 65 {
		return unix.Signal(n)
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig, ok := realtimeSignal(name); ok {
		return sig
	}
	if sig := otherName(name); sig != 0 {
		return sig
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig
	}
	return unix.SIGTERM
}

// otherName knows second names of signals, which KEP-4960 allows as well. man 7 signal
func otherName(name string) unix.Signal {
	switch name {
	case "SIGCLD":
		return unix.SIGCHLD
	case "SIGIOT":
		return unix.SIGABRT
	case "SIGPOLL":
		return unix.SIGIO
	}
	return 0
}

// realtimeSignal knows SIGRTMIN+n and SIGRTMAX-n, which have no number of their own in man 7 signal. The
// C library keeps 32 and 33 for itself, so SIGRTMIN is 34.
func realtimeSignal(name string) (unix.Signal, bool) {
	const rtmin, rtmax = 34, 64
	for prefix, base := range map[string]int{"SIGRTMIN": rtmin, "SIGRTMAX": rtmax} {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(rest)
		if rest != "" && err != nil {
			return 0, false
		}
		if n += base; n < rtmin || n > rtmax {
			return 0, false
		}
		return unix.Signal(n), true
	}
	return 0, false
}
