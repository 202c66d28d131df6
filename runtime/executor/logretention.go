package executor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"podd/internal/beneath"
	"podd/runtime/state"
	"podd/runtime/volume"
)

// What is kept of pods that are gone, for whoever wants to know why they went.
const (
	keptLogDirs    = 2                  // removed pods of one name that keep their logs
	keptRemovedAll = 50                 // removed pods of all names
	keptRemovedFor = 7 * 24 * time.Hour // by the clock of the board
	// keptAttempts is how many attempts of a container have logs: the current one and the one before it.
	keptAttempts = 2
)

// removePod marks the logs of a removed pod and takes away those that have been kept for long enough. The loop
// removes the record: nobody else writes it.
func (l LogFolders) removePod(rec *state.Record, stopping bool) error {
	if !stopping {
		if err := l.markRemoved(rec); err != nil {
			return fmt.Errorf("cannot mark the logs of a removed pod: %w", err)
		}
	}
	entries, err := os.ReadDir(l.Paths.Logs)
	if err != nil {
		return fmt.Errorf("cannot list the logs: %w", err)
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return modTime(b).Compare(modTime(a)) })
	same, removed := 0, 0
	var errs []error
	for _, e := range entries {
		drop := false
		if strings.HasPrefix(e.Name(), fmt.Sprintf("%s_%s_", rec.Object.Namespace, rec.Object.Name)) {
			same++
			drop = same > keptLogDirs
		}
		if isRemoved(e) {
			removed++
			drop = drop || removed > keptRemovedAll || time.Since(modTime(e)) > keptRemovedFor
		}
		if !drop {
			continue
		}
		// A pod may have the logs mounted: what is in them may be anything.
		if err := volume.Remove(filepath.Join(l.Paths.Logs, e.Name())); err != nil {
			errs = append(errs, fmt.Errorf("cannot remove old logs: %w", err))
		}
	}
	return errors.Join(errs...)
}

func isRemoved(e os.DirEntry) bool {
	info, err := e.Info()
	return err == nil && info.Mode()&removedMark != 0
}

func modTime(e os.DirEntry) time.Time {
	info, err := e.Info()
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// dropOld takes away the log of the attempt that has become too old with the start of one, with what was rotated
// of it.
func (l LogFolders) dropOld(rec *state.Record, name string, attempt int) error {
	old := attempt - keptAttempts
	if old < 0 {
		return nil
	}
	dir, err := l.open(rec, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	names, err := beneath.List(dir)
	base := fmt.Sprintf("%d.log", old)
	for _, f := range names {
		if f != base && !strings.HasPrefix(f, base+".") {
			continue
		}
		if e := dir.Remove(f); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
