package layer

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// holeBlock is the unit in which runs of zeros become holes: the block size of ext4 and f2fs.
const holeBlock = 4096

// writeSparse copies size bytes from r to the new file fd. Whole blocks of zeros are left out: tar expands the holes of
// files such as /var/log/lastlog, and flash need not hold them. It returns the bytes that were written.
func writeSparse(fd int, r io.Reader, size int64, buf []byte) (written int64, err error) {
	var off int64
	hole := false
	for off < size {
		n, err := io.ReadFull(r, buf[:min(int64(len(buf)), size-off)])
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return written, err
		}
		for chunk := buf[:n]; len(chunk) > 0; {
			zeros, data := spans(chunk)
			off += int64(zeros)
			hole = zeros > 0
			if err := pwriteAll(fd, chunk[zeros:zeros+data], off); err != nil {
				return written, err
			}
			off += int64(data)
			written += int64(data)
			hole = hole && data == 0
			chunk = chunk[zeros+data:]
		}
	}
	if hole {
		err = unix.Ftruncate(fd, size)
	}
	return written, err
}

// spans splits off the zero blocks at the start of b and the run of data after them.
func spans(b []byte) (zeros, data int) {
	for len(b)-zeros >= holeBlock && isZero(b[zeros:zeros+holeBlock]) {
		zeros += holeBlock
	}
	for end := zeros; end < len(b); {
		next := min(end+holeBlock, len(b))
		if next-end == holeBlock && isZero(b[end:next]) {
			break
		}
		end = next
		data = end - zeros
	}
	return zeros, data
}

func isZero(b []byte) bool {
	for len(b) >= 8 {
		if b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7] != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func pwriteAll(fd int, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, off)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}
