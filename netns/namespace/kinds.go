package namespace

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// kind is one kind of namespace that a sandbox can hold.
type kind struct {
	name string // the file in the sandbox, and in /proc/PID/ns
	flag int    // CLONE_NEW*
}

var allKinds = [...]kind{
	{"net", unix.CLONE_NEWNET},
	{"ipc", unix.CLONE_NEWIPC},
	{"uts", unix.CLONE_NEWUTS},
}

// self is the namespace of the calling thread, not that of the process (man 5 proc).
func (k kind) self() string { return "/proc/thread-self/ns/" + k.name }

// HoldsNamespace tells whether a namespace is mounted at path. A link to one is somebody else's.
func HoldsNamespace(path string) (bool, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	var st unix.Statfs_t
	if err == nil {
		err = unix.Fstatfs(fd, &st)
		unix.Close(fd)
	}
	if err != nil {
		return false, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	return st.Type == unix.NSFS_MAGIC, nil
}
