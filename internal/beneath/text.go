package beneath

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"podd/internal/atomicfile"
)

// ReadHostFile reads a file of the host that may well be missing.
func ReadHostFile(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// maxText is more than any resolv.conf has that podd writes.
const maxText = 1 << 20

// ReadShared reads a file that podd has written and that containers have mounted.
func ReadShared(path string) string { return ReadUpTo(path, maxText) }

// ReadUpTo reads the beginning of a file. A container that has the file mounted may have made it as large as it likes, and
// takes no memory for that: a hole is read as zeros.
func ReadUpTo(path string, limit int64) string {
	f, err := openPath(path, os.O_RDONLY)
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

// openPath opens a file that a container may have to do with: a regular one and no link, or it says that it cannot be
// opened now. One that a container has a lease on would keep podd waiting for 45 s (man 2 fcntl, F_SETLEASE).
func openPath(path string, flags int) (*os.File, error) {
	dir, err := Folder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return OpenFile(dir, filepath.Base(path), flags, 0)
}

// Overwrite replaces what a file says and keeps the file: a bind mount follows no rename.
func Overwrite(path, text string) error {
	f, err := openPath(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Truncate(int64(len(text))), f.Close())
}

// WriteInPlace writes a file that is, or will be, mounted into containers, and makes it if need be, with this mode: a file
// that replaced it would be another one than theirs. What stands in its place and is no file is set aside.
func WriteInPlace(path, text string, mode os.FileMode, report atomicfile.Report) error {
	f, err := openPath(path, os.O_WRONLY|os.O_CREATE)
	if errors.Is(err, ErrNotRegular) {
		report.Of(atomicfile.SetAside(path, err), "the file is written again")
		f, err = openPath(path, os.O_WRONLY|os.O_CREATE)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Truncate(int64(len(text))), f.Chmod(mode), f.Close())
}
