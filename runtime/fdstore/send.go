package fdstore

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// sendTimeout, in seconds, is how long a datagram may wait for room in the
// manager's queue: a manager that hangs must not hang the daemon.
const sendTimeout = 5

// send delivers one datagram with ancillary data. The socket lives for one
// message, as in sd_notify: a service manager that re-executes itself may bind a
// new one, and at rest the descriptor is saved.
func send(socket, message string, oob []byte) error {
	if socket[0] != '/' && socket[0] != '@' {
		return fmt.Errorf("$NOTIFY_SOCKET %q is neither a path nor an abstract address: %w", socket, unix.EAFNOSUPPORT)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	timeout := unix.Timeval{Sec: sendTimeout}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err != nil {
		return err
	}
	for {
		// A leading @ becomes the abstract address's NUL in SockaddrUnix.
		err = unix.Sendmsg(fd, []byte(message), oob, &unix.SockaddrUnix{Name: socket}, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}
