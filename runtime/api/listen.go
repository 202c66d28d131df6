package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// maxConnections at a time: watchers and exec sessions hold one each, and a client that
// leaks them must not use up the daemon's file descriptors.
const maxConnections = 256

// Listen makes the socket, with mode 0600 from its first moment. One that a dead daemon
// has left is replaced; ErrInUse when a server answers on it.
func Listen(path string) (net.Listener, error) { return ListenAs(path, NoGroup) }

// NoGroup is the group of a socket that is its owner's alone.
const NoGroup = -1

// ListenAs makes a socket as Listen does, which the members of a group may open, too: with mode 0660 and this gid.
func ListenAs(path string, gid int) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the socket: %w", err)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeType != os.ModeSocket {
		// A link could lead to another's socket.
		if damage := (*atomicfile.Damage)(nil); errors.As(atomicfile.SetAside(path, errors.New("it is not a socket")), &damage) && damage.Aside == "" {
			return nil, fmt.Errorf("cannot listen on %s: %w", path, damage)
		}
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("cannot listen on %s: %w", path, ErrInUse)
	}
	// bind(2) gives the mode that the umask leaves, so the socket gets its name last.
	tmp := path + ".new"
	if err := os.RemoveAll(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove an old socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if errors.Is(err, unix.ENOSPC) && os.Remove(path) == nil { // that of the dead daemon makes room for another file
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	mode := os.FileMode(0o600)
	if gid != NoGroup {
		mode = 0o660
		err = os.Lchown(tmp, -1, gid)
	}
	if err := errors.Join(err, os.Chmod(tmp, mode), os.Rename(tmp, path)); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot make the socket: %w", err)
	}
	return &limited{Listener: l, free: make(chan struct{}, maxConnections)}, nil
}

// limited lets only so many connections be open at a time; more wait in the kernel's queue.
type limited struct {
	net.Listener
	free chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: c, done: sync.OnceFunc(func() { <-l.free })}, nil
}

type counted struct {
	net.Conn
	done func()
}

func (c *counted) Close() error {
	defer c.done()
	return c.Conn.Close()
}
