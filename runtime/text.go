package runtime

import (
	"io"
	"os"
	"path/filepath"

	"podd/internal/beneath"
)

// readText reads a file of the host that may well be missing.
func readText(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// maxText is more than any resolv.conf has that podd writes.
const maxText = 1 << 20

// readOwn reads a file that podd has written and that containers have mounted.
func readOwn(path string) string { return readUpTo(path, maxText) }

// readUpTo reads the beginning of a file. A container that has the file mounted may have made it as large as it likes, and
// takes no memory for that: a hole is read as zeros.
func readUpTo(path string, limit int64) string {
	f, err := openAtOnce(path, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return ""
	}
	return string(data)
}

// openAtOnce opens a file that a container may have to do with: a regular one and no link, or it says that it cannot be
// opened now. One that a container has a lease on would keep podd waiting for 45 s (man 2 fcntl, F_SETLEASE).
func openAtOnce(path string, flags int) (*os.File, error) {
	dir, err := beneath.Folder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return beneath.OpenFile(dir, filepath.Base(path), flags, 0)
}
