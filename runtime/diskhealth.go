package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/runtime/executor"
	"podd/runtime/state"
)

// storageHealth is what is wrong with the folders that podd writes to. podd runs without room in them and without the right to
// write: what runs goes on, what is new waits. Nothing is looked at while all is well; what goes wrong is reason to look.
type storageHealth struct {
	bad      bool
	checking bool
	again    state.BootTime // the next look, since boot; 0: none is due
	delay    time.Duration
}

// The delays between two looks at storage that is not as it should be.
const (
	storageRetryFirst = time.Second
	storageRetryLast  = time.Minute
)

// prepareStorage makes the folders, and looks whether they can be written to, without doing so. podd starts whatever it finds.
func (r *Runtime) prepareStorage() {
	errs := []error{r.kernel.prepare(), r.forgetOtherBoot(bootID)}
	for _, dir := range r.storageFolders() {
		errs = append(errs, lookIntoStorage(dir))
	}
	if err := errors.Join(errs...); err != nil {
		r.Log.Error("podd starts without all that it needs", "error", err)
		r.checkStorage()
	}
}

func (r *Runtime) storageFolders() map[string]string {
	return map[string]string{"run folder": r.RunDir, "root": r.RootDir, "log folder": r.LogDir}
}

// lookIntoStorage asks the kernel whether there is room, and the right to write.
func lookIntoStorage(dir string) error {
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

// isStorageError tells what a full, a read-only or a dying disk answers.
func isStorageError(err error) bool {
	for _, of := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// suspectStorage looks at the folders if an error may be theirs.
func (r *Runtime) suspectStorage(err error) {
	if isStorageError(err) && !r.storage.bad {
		r.checkStorage()
	}
}

// checkStorage makes the folders and tries to write to them, away from the loop: a dying card takes its time.
func (r *Runtime) checkStorage() {
	if r.storage.checking {
		return
	}
	r.storage.checking, r.storage.again = true, 0
	go func() {
		faults := map[string]error{"folders": r.kernel.prepare()}
		for what, dir := range r.storageFolders() {
			faults[what] = tryToWrite(dir)
		}
		if faults["run folder"] == nil {
			faults["run folder"] = r.noteBoot()
		}
		if r.CheckStorage != nil {
			faults["images"] = r.CheckStorage()
		}
		r.inbox.put(msgStorage{faults})
	}()
}

// tryToWrite writes what a record is at most, and takes it away again.
func tryToWrite(dir string) error {
	path := filepath.Join(dir, ".podd-write-test")
	_ = os.Remove(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	_, err = f.Write(make([]byte, writeTest))
	err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
	if err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	return nil
}

// storageChecked takes in what a look has found.
func (r *Runtime) storageChecked(faults map[string]error, now state.Instant) {
	s := &r.storage
	was := s.bad
	s.checking, s.bad = false, false
	for what, err := range faults {
		s.bad = s.bad || err != nil
		r.conditions.storage.Report(what, err)
	}
	if s.bad {
		s.delay = min(max(2*s.delay, storageRetryFirst), storageRetryLast)
		s.again = now.After(s.delay)
		return
	}
	s.delay = 0
	if !was {
		return
	}
	for uid, p := range r.pods {
		r.save(p) // what could not be written
		p.Retry, p.Backoff = 0, executor.StepBackoff{}
		p.Record.Sandbox.NotBefore, p.Record.Sandbox.Backoff = 0, 0
		p.Record.Volumes.RetryNow()
		for _, c := range p.Record.Containers {
			if c.Waiting != nil {
				c.NotBefore, c.Backoff = 0, 0
			}
		}
		r.mark(uid)
	}
	if r.StorageMended != nil {
		r.StorageMended()
	}
}

// noteBoot writes the mark of this boot again if it could not be written when podd started.
func (r *Runtime) noteBoot() error {
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return fmt.Errorf("cannot read the boot's ID: %w", err)
	}
	mark := filepath.Join(r.RunDir, "boot-id")
	if have, err := atomicfile.Read(mark, maxBootID); err == nil && string(have) == string(boot) {
		return nil
	}
	return atomicfile.Write(mark, boot, 0o600)
}
