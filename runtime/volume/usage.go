package volume

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Usage is what a folder takes of its file system, in bytes; a file of several names counts once. A tree that is too
// deep to be walked takes what could be seen.
func Usage(dir string) (int64, error) {
	fd, err := openFolder(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot measure a volume: %w", err)
	}
	defer closeFD(fd)
	var sum int64
	seen := map[uint64]bool{}
	err = walk(fd, func(_ int, _ string, st *unix.Stat_t) error {
		if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			if seen[st.Ino] {
				return nil
			}
			seen[st.Ino] = true
		}
		sum += st.Blocks * 512 // man 3type stat: whatever the block size
		return nil
	})
	if err != nil && !errors.Is(err, errTooDeep) {
		return 0, fmt.Errorf("cannot measure a volume: %w", err)
	}
	return sum, nil
}
