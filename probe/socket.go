package probe

import (
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// ownNetns is the network namespace of the process, open for as long as it lives. The calling thread is asked, and not
// the first one, which may be somewhere else at this moment: threads that are away are locked to their work there.
var ownNetns = sync.OnceValues(func() (int, error) {
	return unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
})

// newSocket makes a TCP socket in the network namespace at path, or in that of the process without one. A socket stays
// in the namespace in which it was made, whichever thread works with it later (man 7 network_namespaces).
func newSocket(path string, family int) (int, error) {
	if path == "" {
		return streamSocket(family)
	}
	own, err := ownNetns()
	if err != nil {
		return -1, fmt.Errorf("cannot open own network namespace: %w", err)
	}
	ns, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open network namespace: %w", err)
	}
	defer unix.Close(ns)
	runtime.LockOSThread()
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return -1, fmt.Errorf("cannot enter network namespace %s: %w", path, err)
	}
	fd, err := streamSocket(family)
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		// The lock stays: the thread ends with this goroutine and is nobody else's.
		if err == nil {
			unix.Close(fd)
		}
		return -1, fmt.Errorf("cannot leave network namespace %s: %w", path, back)
	}
	runtime.UnlockOSThread()
	return fd, err
}

func streamSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("cannot make a socket: %w", err)
	}
	return fd, nil
}
