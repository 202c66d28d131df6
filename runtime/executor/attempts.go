package executor

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"podd/internal/beneath"
	"podd/runtime/state"
)

// removedMark on a pod's log folder says that the pod was removed: one of the same UID that comes later is another
// pod, whose restarts count from 0. A bit of the mode costs the flash less than a file would; the sticky bit
// has no other meaning in a folder that only root writes to.
const removedMark = os.ModeSticky

// LogFolders are the folders of containers' logs, as far as they tell of attempts and are kept or removed.
type LogFolders struct{ Paths state.Paths }

// CountAttempts lets the attempts of a pod go on from its logs, because each attempt has a log of its own. After a
// reboot the restarts go on with them, as the kubelet has it.
func (l LogFolders) CountAttempts(rec *state.Record) {
	removed := l.takeMark(rec)
	for _, c := range rec.Containers {
		c.Attempt = l.lastAttempt(rec, c.Name)
		if removed {
			c.Base = c.Attempt + 1
		}
	}
}

// lastAttempt is the highest number among a container's logs, -1 if there are none.
func (l LogFolders) lastAttempt(rec *state.Record, name string) int {
	last := -1
	dir, err := l.open(rec, name)
	if err != nil {
		return last
	}
	defer func() { _ = dir.Close() }()
	names, err := beneath.List(dir)
	if err != nil {
		return last
	}
	for _, entry := range names {
		number, _, _ := strings.Cut(entry, ".")
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
	}
	return last
}

// open opens the folder of a pod's logs, or with a name that of a container's. Neither may be a link: who has the
// logs mounted could have podd work elsewhere.
func (l LogFolders) open(rec *state.Record, container ...string) (*os.Root, error) {
	return beneath.Folder(l.Paths.Logs, append([]string{filepath.Base(l.Paths.PodLogs(rec))}, container...)...)
}

// takeMark says whether the folder of a pod's logs has the mark, and takes it off.
func (l LogFolders) takeMark(rec *state.Record) bool {
	dir, err := l.open(rec)
	if err != nil {
		return false
	}
	defer func() { _ = dir.Close() }()
	info, err := dir.Stat(".")
	return err == nil && info.Mode()&removedMark != 0 && dir.Chmod(".", info.Mode()&^removedMark) == nil
}

// markRemoved leaves the mark. Without it a pod that comes back has a restart count that is too high.
func (l LogFolders) markRemoved(rec *state.Record) error {
	dir, err := l.open(rec)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it never had a log
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	return dir.Chmod(".", info.Mode()|removedMark)
}
