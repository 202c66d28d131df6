package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// EnsureFolder makes the folder of a claim that is not there yet, and limits it where the file system has quotas: also
// one that was made before it had, or whose claim has grown since.
func EnsureFolder(dir string, size int64) error {
	if _, err := makeFolder(dir, emptyDirMode); err != nil || size == 0 {
		return err
	}
	return ignoreNoQuota(Limit(dir, size))
}

// RemoveFolder removes the folder of a claim with all in it, and its limit.
func RemoveFolder(dir string) error { return removeLimited(dir) }

// Replace puts the folder next in the place of dir, for good.
func Replace(dir, next string) error {
	err := unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOENT) {
		err = os.Rename(next, dir)
	}
	if err != nil {
		return fmt.Errorf("cannot put the restored folder in its place: %w", err)
	}
	if err := syncTree(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("cannot commit the restored folder: %w", err)
	}
	return removeLimited(next)
}
