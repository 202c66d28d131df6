package folder

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// mounts tells of changes of the mount table: polling /proc/self/mountinfo reports an error condition after each
// (man 5 proc_pid_mountinfo). Inotify does not tell of a mount over a folder.
type mounts struct {
	f    *os.File
	conn syscall.RawConn
}

func openMounts() (*mounts, error) {
	f, err := os.OpenFile("/proc/self/mountinfo", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	conn, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &mounts{f: f, conn: conn}, nil
}

func (m *mounts) close() { m.f.Close() }

// each calls do after every change until m is closed.
func (m *mounts) each(do func()) {
	first := true
	// A callback that returns false is called again after the next edge. Coming back for each edge would lose the
	// one that falls between two calls of Read. Read ends with an error when m is closed.
	_ = m.conn.Read(func(uintptr) bool {
		if !first {
			do()
		}
		first = false
		return false
	})
}
