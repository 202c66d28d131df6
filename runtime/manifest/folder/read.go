package folder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"podd/internal/hostfile"
	"podd/runtime/manifest/decode"
)

// errBusy is returned while somebody has the file open for writing: it is half written, not wrong.
var errBusy = errors.New("the file is still being written")

// ReadFile reads one manifest file of at most MaxFileBytes. It refuses what is not a regular file without ever
// blocking on it, however fast a file is replaced by a pipe.
func ReadFile(path string) ([]byte, error) {
	data, _, err := readSettled(path, nil)
	return data, err
}

// readSettled reads a file that nobody writes to. It returns errBusy if somebody does, and the status that the
// data belongs to. If the file system cannot tell about writers, settled decides from the file's status.
func readSettled(path string, settled func(*syscall.Stat_t) bool) ([]byte, stamp, error) {
	f, before, err := openRegular(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer f.Close()
	if settled != nil && beingWritten(f, before, settled) {
		return nil, stamp{}, errBusy
	}
	data, err := readLimited(f, before.Size)
	if err != nil {
		return nil, stamp{}, err
	}
	after, err := fstat(f)
	if err != nil {
		return nil, stamp{}, err
	}
	if settled != nil && stampOf(before) != stampOf(after) {
		return nil, stamp{}, errBusy
	}
	return data, stampOf(after), nil
}

// openRegular opens a regular file for reading, and nothing else.
func openRegular(path string) (*os.File, *syscall.Stat_t, error) {
	f, err := hostfile.Open(path)
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, hostfile.ErrNotRegular) {
		return nil, nil, pe.Err // a sentence
	}
	if err != nil {
		return nil, nil, err
	}
	st, err := fstat(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// ReadFrom reads one manifest from a stream, for example standard input, of at most MaxFileBytes.
func ReadFrom(r io.Reader) ([]byte, error) { return readLimited(r, 0) }

func readLimited(r io.Reader, size int64) ([]byte, error) {
	data, err := hostfile.ReadAll(r, size, decode.MaxFileBytes)
	if errors.Is(err, hostfile.ErrTooLarge) {
		return nil, errTooLarge
	}
	return data, err
}

var errTooLarge = errors.New("it is larger than 3 MiB; split it into several files")

// beingWritten asks the kernel whether anybody has f open for writing: a read lease is refused with EAGAIN then
// (man 2 fcntl, F_SETLEASE). File systems without leases answer otherwise; settled decides there.
func beingWritten(f *os.File, st *syscall.Stat_t, settled func(*syscall.Stat_t) bool) bool {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		return err != nil
	case errors.Is(err, unix.EAGAIN):
		return true
	default:
		return !settled(st)
	}
}

// stamp identifies one version of a file's content.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
	mode         uint32
}

func stampOf(st *syscall.Stat_t) stamp {
	return stamp{
		dev: st.Dev, ino: st.Ino, size: st.Size, mode: st.Mode,
		mtime: syscall.TimespecToNsec(st.Mtim), ctime: syscall.TimespecToNsec(st.Ctim),
	}
}

func stat(path string) (*syscall.Stat_t, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return info.Sys().(*syscall.Stat_t), nil
}

func fstat(f *os.File) (*syscall.Stat_t, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return info.Sys().(*syscall.Stat_t), nil
}
