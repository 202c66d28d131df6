package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tempSuffix is that of a file that is being written. Its name is hidden: who lists a folder of state, or puts manifests into
// one, sees whole files alone. What a crash has left is written over the next time, or taken away by Sweep.
const tempSuffix = ".tmp"

func tempName(path string) string {
	dir, base := filepath.Split(path)
	return dir + "." + base + tempSuffix
}

// Sweep takes away what a crash has left in a folder of files that were being written. Nobody else may be writing there.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, ".") && strings.HasSuffix(name, tempSuffix) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}

// Write replaces a file whole: whoever reads it, also after the process was killed, finds the old content or the new.
// It is for tmpfs: after a loss of power there may be neither. The folder must be there. At most one goroutine of one
// process may write a file at a time.
func Write(path string, data []byte, mode fs.FileMode) error { return write(path, data, mode, false) }

// WriteSync is Write for flash: after a loss of power, too, there is the old content or the new, and after the return the
// new. A folder that is missing is made, for root alone.
func WriteSync(path string, data []byte, mode fs.FileMode) error {
	if err := EnsureDir(filepath.Dir(path), 0o700, nil, ""); err != nil {
		return err
	}
	return write(path, data, mode, true)
}

func write(path string, data []byte, mode fs.FileMode, durable bool) error {
	temp := tempName(path)
	if err := writeNew(temp, data, mode, durable); err != nil {
		return err
	}
	err := os.Rename(temp, path)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOTEMPTY) {
		// A folder stands there.
		if damage := (*Damage)(nil); errors.As(SetAside(path, ErrNotRegular), &damage) && damage.Aside != "" {
			err = os.Rename(temp, path)
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if durable {
		return SyncDir(filepath.Dir(path))
	}
	return nil
}

// writeNew makes a file that is not there: no link is followed, and no FIFO waited for.
func writeNew(path string, data []byte, mode fs.FileMode, durable bool) error {
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	f, err := os.OpenFile(path, flags, mode)
	if errors.Is(err, fs.ErrExist) {
		if err = os.RemoveAll(path); err == nil {
			f, err = os.OpenFile(path, flags, mode)
		}
	}
	if err != nil {
		return err
	}
	if mode&^0o700 != 0 {
		err = f.Chmod(mode) // whatever the umask
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Create commits a file that must not be there yet: fs.ErrExist if it is, also as a link or a folder. Several processes
// may try at once. A folder that is missing is made, for root alone.
func Create(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := EnsureDir(dir, 0o700, nil, ""); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".*"+tempSuffix) // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Link(temp.Name(), path) // unlike a rename it does not replace
	}
	if err != nil {
		return err
	}
	return errors.Join(SyncDir(dir), SyncDir(filepath.Dir(dir)))
}

// EnsureDir makes a folder that is missing. What stands in its place and is none is set aside and reported with what is
// lost; a link to a folder is taken for one, as it is how a folder is moved to another disk.
func EnsureDir(dir string, mode fs.FileMode, report Report, lost string) error {
	err := os.MkdirAll(dir, mode)
	if !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
		return nil // made by another meanwhile
	}
	if _, statErr := os.Lstat(dir); statErr != nil {
		return err // something above it is no folder
	}
	var damage *Damage
	if errors.As(SetAside(dir, errNoFolder), &damage) {
		report.Of(damage, lost)
	}
	if damage == nil || damage.Aside == "" {
		return err
	}
	return os.MkdirAll(dir, mode)
}

// DropLink sets aside a link in the place of a folder that nobody moves elsewhere: nothing is read or written where it
// leads.
func DropLink(dir string, report Report, lost string) error {
	if info, err := os.Lstat(dir); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil
	}
	err := SetAside(dir, errLink)
	var damage *Damage
	if !errors.As(err, &damage) || damage.Aside == "" {
		return err
	}
	report.Of(damage, lost)
	return nil
}

var errLink = errors.New("it is a link")

var errNoFolder = errors.New("it is not a folder")

// SyncDir commits the names in a folder.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
