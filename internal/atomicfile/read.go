package atomicfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Limit is what a file of state holds at most, in bytes, where nobody knows better: far more than podd writes.
const Limit = 16 << 20

var (
	// ErrNotRegular says that a folder, a link, a FIFO, a socket or a device stands in the place of a file.
	ErrNotRegular = errors.New("it is not a regular file")
	// ErrTooLarge says that a file is larger than what is kept in it can be.
	ErrTooLarge = errors.New("it is too large")
	// ErrEmpty says that a file has lost its content.
	ErrEmpty = errors.New("it is empty")
)

// Open opens a regular file to read it. It does not follow a link in the last part of the path and waits for nobody: not
// for the other end of a FIFO, and not for a process that has a lease on the file (man 2 fcntl, F_SETLEASE).
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) { // a link; a socket, or a device that is not there
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Read reads a regular file whole. The errors are fs.ErrNotExist, ErrNotRegular, ErrTooLarge for more than limit bytes, or
// the kernel's.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: %d bytes", ErrTooLarge, info.Size())}
	}
	var data bytes.Buffer
	data.Grow(int(info.Size()) + bytes.MinRead) // no second read of what a file of /proc has
	if _, err := data.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrTooLarge}
	}
	return data.Bytes(), nil
}

// Load is peek, and sets a damaged file aside.
func Load(path string, limit int64, decode func(data []byte) error) error {
	err := peek(path, limit, decode)
	if damage := (*Damage)(nil); errors.As(err, &damage) {
		return SetAside(path, damage.Cause)
	}
	return err
}

// peek reads a file of state and has it decoded. The error is a *Damage if it cannot be believed: what is not a regular file,
// is too large or empty, what the disk does not give back, and what decode refuses. fs.ErrNotExist: there is no file.
func peek(path string, limit int64, decode func(data []byte) error) error {
	data, err := Read(path, limit)
	if err == nil && len(data) == 0 {
		err = ErrEmpty
	} else if err == nil {
		err = decode(data)
	} else if !isDamage(err) {
		return err
	}
	if err == nil {
		return nil
	}
	return &Damage{Path: path, Cause: err}
}

// isDamage tells what is wrong with the file from what is wrong with the machine.
func isDamage(err error) bool {
	for _, damage := range []error{ErrNotRegular, ErrTooLarge, unix.EIO, unix.EUCLEAN, unix.EBADMSG, unix.EISDIR, unix.ENOTDIR} {
		if errors.Is(err, damage) && !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// LoadJSON is Load for a JSON object or array. check may refuse what was decoded; nil: all is well that decodes.
func LoadJSON(path string, into any, check func() error) error {
	return Load(path, Limit, decodeJSON(into, check))
}

// PeekJSON is peek for a JSON object or array, as LoadJSON is Load.
func PeekJSON(path string, into any, check func() error) error {
	return peek(path, Limit, decodeJSON(into, check))
}

func decodeJSON(into any, check func() error) func(data []byte) error {
	return func(data []byte) error {
		if err := DecodeJSON(data, into); err != nil || check == nil {
			return err
		}
		return check()
	}
}

// DecodeJSON decodes a JSON object or array. It refuses null, which would leave a nil map in the place of an empty one.
func DecodeJSON(data []byte, into any) error {
	if string(bytes.TrimSpace(data)) == "null" {
		return errors.New("it holds null")
	}
	return json.Unmarshal(data, into)
}
