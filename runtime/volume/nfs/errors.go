package nfs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	// ErrNoAnswer says that a server has not answered for as long as anybody waits for it.
	ErrNoAnswer = errors.New("the server does not answer")
	errNoStatd  = errors.New("rpc.statd is not running on the board but is required for remote locking; start it, or keep locks local " +
		"by the mount option nolock of a PersistentVolume")
)

// mountError is why a mount failed, in the words of mount.nfs.
type mountError struct {
	source string
	err    error
}

func (e *mountError) Error() string {
	var two *notTriedError
	if errors.As(e.err, &two) {
		return fmt.Sprintf("%v; version 3 was not tried: %v", &mountError{e.source, two.of4}, two.why)
	}
	var errno unix.Errno
	if !errors.As(e.err, &errno) {
		return fmt.Sprintf("mounting %s failed: %v", e.source, e.err)
	}
	switch errno {
	case unix.EACCES:
		return "access denied by server while mounting " + e.source
	case unix.EINVAL:
		return fmt.Sprintf("mounting %s failed: an incorrect mount option was specified, or one that this kernel does not know", e.source)
	case unix.EOPNOTSUPP, unix.EPROTONOSUPPORT:
		return fmt.Sprintf("mounting %s failed: requested NFS version or transport protocol is not supported", e.source)
	case unix.ENODEV:
		return fmt.Sprintf("mounting %s failed: the kernel of this board has no NFS; install one with CONFIG_NFS_FS, or its modules", e.source)
	case unix.ENOENT, unix.ENOTDIR, unix.ESTALE:
		return fmt.Sprintf("mounting %s failed, reason given by server: %s", e.source, sentence(errno))
	}
	return fmt.Sprintf("mounting %s failed: %s", e.source, sentence(errno))
}

func (e *mountError) Unwrap() error { return e.err }

// notTriedError is why version 4 failed, and why version 3 was not tried after it.
type notTriedError struct{ of4, why error }

func (e *notTriedError) Error() string { return e.of4.Error() }
func (e *notTriedError) Unwrap() error { return e.of4 }

// sentence begins what the kernel says with a capital letter, as people know it.
func sentence(errno unix.Errno) string {
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
