// Package xattr reads the extended attributes of files.
package xattr

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Sizes of xattr(7): XATTR_LIST_MAX, XATTR_SIZE_MAX.
const (
	maxList  = 64 << 10
	maxValue = 64 << 10
)

// Read gives the extended attributes of a file by their names, those of a symbolic link itself. nil: it has none, as on a file
// system without any.
func Read(path string) (map[string]string, error) {
	names := make([]byte, 1<<10) // of most files there are none
	n, err := unix.Llistxattr(path, names)
	if errors.Is(err, unix.ERANGE) {
		names = make([]byte, maxList)
		n, err = unix.Llistxattr(path, names)
	}
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	out := map[string]string{}
	value := make([]byte, maxValue)
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		m, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return nil, &os.PathError{Op: "getxattr", Path: path, Err: err}
		}
		out[name] = string(value[:m])
	}
	return out, nil
}
