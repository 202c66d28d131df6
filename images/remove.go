package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/fault"
	"podd/images/reference"
	"podd/internal/atomicfile"
	"podd/internal/filelock"
)

// removal takes away names, records and layers.
type removal struct{ s *Store }

func (s *Store) removal() removal { return removal{s} }

// Remove takes a name from its image, and removes the image with the layers that no other one has when that was its last
// name or when ref is an ID. It returns the names and IDs that are gone. An image that inUse knows (by ID) is not removed
// (ErrInUse); inUse may be nil.
func (s *Store) Remove(ref string, inUse func(id string) bool) ([]string, error) {
	var gone []string
	err := s.changing(func() error {
		img, err := s.state.Load().find(ref)
		if err != nil {
			return err
		}
		name := ""
		if r, err := reference.Parse(ref); err == nil && slices.Contains(img.Names, r.String()) {
			name = r.String()
		}
		if name != "" && len(img.Names) > 1 {
			gone = []string{name}
			return s.removal().untag(img.ID, name)
		}
		if inUse != nil && inUse(img.ID) {
			return &fault.Sentence{Kind: ErrInUse, Text: fmt.Sprintf("cannot remove image %s: a pod uses it, remove its pod first", ref)}
		}
		gone = append(slices.Clone(img.Names), img.ID)
		return s.removal().drop(img.ID)
	})
	if err != nil {
		return nil, err
	}
	return gone, s.removal().collect()
}

// Prune removes the images that have lost their last name to a newer one and that inUse does not know. It returns their
// IDs.
func (s *Store) Prune(inUse func(id string) bool) ([]string, error) {
	var gone []string
	err := s.changing(func() error {
		for _, img := range s.state.Load().images {
			if len(img.Names) > 0 || (inUse != nil && inUse(img.ID)) {
				continue
			}
			if err := s.removal().drop(img.ID); err != nil {
				return err
			}
			gone = append(gone, img.ID)
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	return gone, s.removal().collect()
}

func (s *Store) changing(fn func() error) error {
	s.change.Lock()
	defer s.change.Unlock()
	return s.locked(fn)
}

func (rm removal) untag(id, name string) error {
	for _, r := range rm.s.state.Load().records {
		if r.ID != id {
			continue
		}
		left := *r
		left.Names = slices.DeleteFunc(slices.Clone(r.Names), func(n string) bool { return n == name })
		if err := rm.s.records().writeRecord(&left); err != nil {
			return err
		}
	}
	return rm.s.records().bumpGeneration()
}

// drop removes an image's record. First it is forgotten that the image came from the folder of archives, from which it
// would come back at once.
func (rm removal) drop(id string) error {
	if err := rm.s.imports().forgetImported(id); err != nil {
		return err
	}
	if err := os.Remove(rm.s.records().recordFile(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove image %s: %w", id, err)
	}
	if err := atomicfile.SyncDir(rm.s.dir("i")); err != nil {
		return fmt.Errorf("cannot remove image %s: %w", id, err)
	}
	return rm.s.records().bumpGeneration()
}

// collect removes layers that no image has, and leftovers of processes that died. It does nothing while a load is under
// way anywhere: that load may be about to use such a layer, and collects when it ends.
func (rm removal) collect() error {
	_, err := rm.collectOld(keepFor)
	return err
}

// collectOld also removes layers of pulls that have not ended and that nobody has asked for for so long; freed is how large
// those are.
func (rm removal) collectOld(age time.Duration) (freed int64, err error) {
	done, err := filelock.Try(rm.s.dir("loads"), filelock.Exclusive, rm.s.records().reportDamage)
	if err != nil || done == nil {
		return 0, err
	}
	defer done.Close()
	// After the record of an image has gone: whoever finds the image from now on does not exist, and who found it before
	// says here that it uses it.
	used := map[string]bool{}
	if rm.s.inUse != nil {
		if used, err = rm.s.inUse(); err != nil {
			// What they take is given back when it is known again: nothing of an image is lost, and nothing has to wait.
			rm.s.records().warnOnce(fmt.Errorf("unused layers stay: %w", err))
			return 0, nil
		}
	}
	if err := rm.s.changing(func() (err error) {
		if freed, err = rm.s.kept().dropKept(time.Now(), age); err != nil {
			return err
		}
		return rm.setAside(used)
	}); err != nil {
		return freed, err
	}
	return freed, rm.emptyTmp()
}

// setAside moves orphaned layers out of l/, which is quick, so that the slow part needs no lock.
func (rm removal) setAside(inUse map[string]bool) error {
	entries, err := os.ReadDir(rm.s.dir("l"))
	if err != nil {
		return fmt.Errorf("cannot look for unused layers: %w", err)
	}
	for _, e := range entries {
		if _, used := rm.s.state.Load().dirs[e.Name()]; used || inUse[e.Name()] {
			continue
		}
		gone := filepath.Join(rm.s.dir("tmp"), "gone-"+e.Name())
		err := os.Rename(filepath.Join(rm.s.dir("l"), e.Name()), gone)
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) { // a crash has left one half removed
			if err = os.RemoveAll(gone); err == nil {
				err = os.Rename(filepath.Join(rm.s.dir("l"), e.Name()), gone)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove an unused layer: %w", err)
		}
	}
	return errors.Join(rm.removeLedgers(), rm.removeHalfRecords())
}

// removeLedgers removes what is said of layers that are not there.
func (rm removal) removeLedgers() error {
	entries, err := os.ReadDir(rm.s.dir("d"))
	if err != nil {
		return fmt.Errorf("cannot look for unused layers: %w", err)
	}
	for _, e := range entries {
		_, err := os.Lstat(filepath.Join(rm.s.dir("l"), strings.TrimSuffix(e.Name(), tornSuffix)))
		if !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(rm.s.dir("d"), e.Name())); err != nil {
			return fmt.Errorf("cannot remove what is said of an unused layer: %w", err)
		}
	}
	return nil
}

// removeHalfRecords takes away what a crash has left of a write.
func (rm removal) removeHalfRecords() error {
	entries, err := os.ReadDir(rm.s.dir("i"))
	if err != nil {
		return fmt.Errorf("cannot look for leftovers: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if err := os.Remove(filepath.Join(rm.s.dir("i"), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove a leftover: %w", err)
		}
	}
	return nil
}

func (rm removal) emptyTmp() error {
	entries, err := os.ReadDir(rm.s.dir("tmp"))
	if err != nil {
		return fmt.Errorf("cannot look for leftovers: %w", err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(rm.s.dir("tmp"), e.Name())); err != nil {
			return fmt.Errorf("cannot remove a leftover: %w", err)
		}
	}
	return nil
}
