// Package folders knows the folders that podd keeps its state in: it makes them, empties those that are another boot's, and
// says whether they can be written to.
package folders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// BootID is the file that names the boot. man 4 random
const BootID = "/proc/sys/kernel/random/boot_id"

// maxBootID is more than the ID of a boot has, in bytes.
const maxBootID = 128

// Folders are the folders that podd keeps its state in.
type Folders struct {
	Run, Root, Logs string
	// Passed hold the roots of containers and the files of pods. The root of a pod with ids of its own passes them; each
	// folder in them is closed to others.
	Passed []string
	// Records, Containers and IO speak of processes, and so of one boot.
	Records, Containers, IO string
	// Private are the others. What containers make is nobody's on the board: a program that runs as its owner would make
	// anybody root.
	Private []string
	// Small are those on the disk that hold small files which this daemon alone writes.
	Small  []string
	BootID string // the file; see BootID

	Damaged atomicfile.Report
	// SetAside is told of what could not be believed, and what follows.
	SetAside func(err error, consequence string)
	// Runs says whether a process of an earlier daemon's containers is alive in this boot.
	Runs func() bool
}

// Ensure makes the folders.
func (f *Folders) Ensure() error {
	errs := []error{atomicfile.EnsureDir(f.Logs, 0o711, f.Damaged, "logs begin anew")}
	for _, dir := range f.Passed {
		errs = append(errs, closeBelow(dir), f.ensure(dir, 0o711))
	}
	for _, dir := range append([]string{f.Records, f.Containers, f.IO}, f.Private...) {
		errs = append(errs, f.ensure(dir, 0o700))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot make a folder: %w", err)
	}
	return nil
}

// closeBelow closes to others what an earlier podd has left open in a folder that was closed itself.
func closeBelow(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // it is not there yet, or no folder
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.IsDir() && info.Mode().Perm()&0o007 != 0 {
			errs = append(errs, os.Chmod(filepath.Join(dir, e.Name()), info.Mode().Perm()&^0o007))
		}
	}
	return errors.Join(errs...)
}

// ensure makes a folder, or gives one that an earlier podd has made its mode.
func (f *Folders) ensure(dir string, mode os.FileMode) error {
	if err := atomicfile.EnsureDir(dir, mode, f.Damaged, "what was in its place is not the runtime's"); err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm() == mode {
		return nil // also on a disk that has become read-only
	}
	return os.Chmod(dir, mode)
}

// sweep takes away what an earlier daemon was writing when it died.
func (f *Folders) sweep() error {
	var errs []error
	for _, dir := range f.Small {
		errs = append(errs, atomicfile.Sweep(dir))
	}
	return errors.Join(errs...)
}

func (f *Folders) mark() string { return filepath.Join(f.Run, "boot-id") }

// forgetOtherBoot drops records that an earlier boot left in a folder that is not on tmpfs: their processes and their clock are
// gone. What runs is of this boot, whatever the mark says; without a mark that can be believed nothing is dropped but set
// aside.
func (f *Folders) forgetOtherBoot() error {
	boot, err := os.ReadFile(f.BootID)
	if err != nil {
		return fmt.Errorf("cannot read the boot's ID: %w", err)
	}
	same := false
	markErr := atomicfile.Load(f.mark(), maxBootID, func(have []byte) error {
		same = string(have) == string(boot)
		if len(have) != len(boot) {
			return errors.New("it names no boot")
		}
		return nil
	})
	if same {
		return nil
	}
	runs := f.Runs()
	switch {
	case runs && markErr == nil:
		f.SetAside(atomicfile.SetAside(f.mark(), errors.New("it names another boot, and pods of this one run")), "it is written again")
	case runs:
		f.SetAside(markErr, "it is written again, as pods of this boot run")
	case markErr != nil:
		f.SetAside(markErr, "nothing runs; what may be of an earlier boot is set aside")
	}
	for _, dir := range []string{f.Records, f.Containers, f.IO} {
		if runs {
			break
		}
		err := errors.Join(f.drop(dir, markErr), os.MkdirAll(dir, 0o700))
		if err != nil {
			return fmt.Errorf("cannot clear what an earlier boot left: %w", err)
		}
	}
	if err := atomicfile.Write(f.mark(), boot, 0o600); err != nil {
		return fmt.Errorf("cannot note the boot's ID: %w", err)
	}
	return nil
}

// drop removes a folder of an earlier boot; records of which nobody knows the boot are set aside.
func (f *Folders) drop(dir string, unsure error) error {
	entries, err := os.ReadDir(dir)
	if dir != f.Records || unsure == nil || err != nil || len(entries) == 0 {
		return os.RemoveAll(dir)
	}
	f.SetAside(atomicfile.SetAside(dir, errors.New("nothing says of which boot its records are")), "pods that do not run begin anew")
	return nil
}

// markBoot writes the mark of this boot again if it could not be written when podd started.
func (f *Folders) markBoot() error {
	boot, err := os.ReadFile(f.BootID)
	if err != nil {
		return fmt.Errorf("cannot read the boot's ID: %w", err)
	}
	if have, err := atomicfile.Read(f.mark(), maxBootID); err == nil && string(have) == string(boot) {
		return nil
	}
	return atomicfile.Write(f.mark(), boot, 0o600)
}

// trees are the folders that all others are in, by what a user calls them.
func (f *Folders) trees() map[string]string {
	return map[string]string{"run folder": f.Run, "root": f.Root, "log folder": f.Logs}
}

// Look asks the kernel whether there is room, and the right to write, without writing.
func (f *Folders) Look() error {
	var errs []error
	for _, dir := range f.trees() {
		errs = append(errs, look(dir))
	}
	return errors.Join(errs...)
}

func look(dir string) error {
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return fmt.Errorf("cannot write to %s: %w", dir, err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("cannot look at %s: %w", dir, err)
	}
	// Some file systems make as many files as there is room for, and count neither.
	if st.Blocks > 0 && int64(st.Bfree)*int64(st.Bsize) < writeTest || st.Files > 0 && st.Ffree == 0 {
		return fmt.Errorf("no room in %s: %w", dir, unix.ENOSPC)
	}
	return nil
}

// writeTest is how much room podd wants to find, in bytes: more than a record has.
const writeTest = 64 << 10

// try makes what is to be in the folders and writes to them. It says what is wrong by what it concerns, nil where all is well.
// A dying card takes its time.
func (f *Folders) try(prepare func() error) map[string]error {
	problems := map[string]error{"folders": prepare()}
	for what, dir := range f.trees() {
		problems[what] = tryToWrite(dir)
	}
	if problems["run folder"] == nil {
		problems["run folder"] = f.markBoot()
	}
	return problems
}

// tryToWrite writes what a record is at most, and takes it away again.
func tryToWrite(dir string) error {
	path := filepath.Join(dir, ".podd-write-test")
	_ = os.Remove(path)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	_, err = file.Write(make([]byte, writeTest))
	err = errors.Join(err, file.Sync(), file.Close(), os.Remove(path))
	if err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	return nil
}
