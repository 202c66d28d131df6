package netns

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

// holdsNamespace tells whether a namespace is mounted at path.
func holdsNamespace(path string) (bool, error) {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	return st.Type == unix.NSFS_MAGIC, nil
}
