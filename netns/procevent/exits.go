// Package procevent hears of processes that end, with their exit status, whoever their parent is.
package procevent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// exitWatch hears of processes that end, by the process connector, for kernels whose pidfds do not
// give the exit status (PIDFD_INFO_EXIT, Linux 6.15). It needs CONFIG_PROC_EVENTS, CAP_NET_ADMIN,
// and the machine's first network, user and PID namespace (drivers/connector).
type exitWatch struct {
	sock *os.File
}

// watchExits listens from its return on. Named processes only wake us up when it is they who end;
// with none named, all do. A process that ended before is not heard of: look at it afterwards.
func watchExits(pids ...int) (*exitWatch, error) {
	const kind = unix.SOCK_DGRAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	fd, err := unix.Socket(unix.AF_NETLINK, kind, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("cannot open process connector: %w", err)
	}
	if err := subscribe(fd, pids); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &exitWatch{sock: os.NewFile(uintptr(fd), "process connector")}, nil
}

// subscribe filters before it listens, so that nothing else ever queues.
func subscribe(fd int, pids []int) error {
	filter := exitFilter(pids)
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("cannot filter process events: %w", err)
	}
	addr := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}
	if err := unix.Bind(fd, addr); err != nil {
		return fmt.Errorf("cannot join process events: %w", err)
	}
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	if err := unix.Sendto(fd, listenRequest(), 0, kernel); err != nil {
		return fmt.Errorf("cannot ask for process events: %w", err)
	}
	return nil
}

// Run calls fn with the wait status (man 2 wait) of each process that ends, until ctx is done,
// which is no error. Events that the kernel dropped, having no memory for them, are not made up for.
func (w *exitWatch) Run(ctx context.Context, fn func(pid int, status uint32)) error {
	defer w.sock.Close()
	stop := context.AfterFunc(ctx, func() { _ = w.sock.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := w.sock.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot read process events: %w", err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := readFrom(conn, buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("cannot read process events: %w", err)
		}
		if pid, status, ok := parseExit(buf[:n]); ok {
			fn(pid, status)
		}
	}
}

// readFrom waits in the runtime's poller, and takes messages of the kernel only: anyone with the
// capability may send to the group.
func readFrom(conn syscall.RawConn, buf []byte) (n int, err error) {
	cerr := conn.Read(func(fd uintptr) bool {
		var from unix.Sockaddr
		n, from, err = unix.Recvfrom(int(fd), buf, 0)
		if nl, ok := from.(*unix.SockaddrNetlink); err == nil && (!ok || nl.Pid != 0) {
			n = 0
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	if cerr != nil {
		return 0, cerr
	}
	return n, err
}

// ExitEvents is watchExits and Run.
func ExitEvents(ctx context.Context, fn func(pid int, status uint32), pids ...int) error {
	w, err := watchExits(pids...)
	if err != nil {
		return err
	}
	return w.Run(ctx, fn)
}

// Close gives up a watch that was never run.
func (w *exitWatch) Close() error { return w.sock.Close() }

// parseExit reads a struct proc_event behind its headers. Only the first thread, whose id is the
// process's, counts. One that leaves its process running (pthread_exit in main) looks the same; the
// pidfd knows better.
func parseExit(b []byte) (pid int, status uint32, ok bool) {
	if len(b) < exitEnd || binary.NativeEndian.Uint32(b[offsetWhat:]) != procEventExit {
		return 0, 0, false
	}
	pid = int(int32(binary.NativeEndian.Uint32(b[offsetPid:])))
	tgid := int(int32(binary.NativeEndian.Uint32(b[offsetTgid:])))
	return pid, binary.NativeEndian.Uint32(b[offsetStatus:]), pid > 0 && pid == tgid
}
