package layer

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Local is implemented by the reader of a plain tar that is put together of files of this machine. Where says which file the
// bytes of the tar from an offset on are, when the first of them has been read; "": of none.
type Local interface {
	Where(offset int64) string
}

// writeContent writes a file of size bytes from r. Where the bytes are those of another file, and the file system can, the
// two share what is on the disk; r is read all the same, as the digest of the whole is what counts.
func (t *tree) writeContent(fd int, r io.Reader, size int64, buf []byte) (written int64, err error) {
	if t.local == nil || t.at == 0 || size < holeBlock {
		return writeSparse(fd, r, size, buf)
	}
	var first [64]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return 0, err
	}
	if path := t.local.Where(t.at); path != "" {
		shared, err := t.share(fd, path, size)
		if err != nil {
			return 0, err
		}
		if shared {
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(r, size-int64(len(first))), buf)
			return 0, err
		}
	}
	return writeSparse(fd, io.MultiReader(bytes.NewReader(first[:]), r), size, buf)
}

// share makes the empty file fd have the blocks of another one. man 2 ioctl_ficlone
func (t *tree) share(fd int, path string, size int64) (bool, error) {
	src, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, nil // whoever reads it says so
	}
	defer func() { _ = src.Close() }()
	if st, err := src.Stat(); err != nil || st.Size() != size {
		return false, nil
	}
	err = unix.IoctlFileClone(fd, int(src.Fd()))
	if err == nil {
		return true, nil
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return false, err
	}
	t.local = nil // ext4, tmpfs and the like cannot
	return false, nil
}
