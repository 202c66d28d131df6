package images

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Room is what an image needs that does not fit.
type Room struct {
	// Bytes that have to be free, at least.
	Bytes int64
	// Inodes: it is these that there are none of, however many bytes are free.
	Inodes bool
}

func outOfSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// freeOf is how many bytes and inodes the file system of a folder has; -1: it does not tell.
func freeOf(dir string) [2]int64 {
	free := [2]int64{-1, -1}
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil {
		free[0] = int64(st.Bavail) * int64(st.Bsize) // Bsize has 32 bits on some processors
		if st.Files > 0 {                            // btrfs has no such limit
			free[1] = int64(st.Ffree)
		}
	}
	return free
}
