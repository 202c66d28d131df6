package runtime

import (
	"os"
	"strconv"
	"strings"

	"podd/runtime/state"
)

// removedMark on a pod's log folder says that the pod was removed: one of the same UID that comes later is another
// pod, whose restarts count from 0. A bit of the mode costs the flash less than a file would; the sticky bit
// has no other meaning in a folder that only root writes to.
const removedMark = os.ModeSticky

// countFromLogs lets the attempts of a pod go on from its logs, because each attempt has a log of its own. After a
// reboot the restarts go on with them, as the kubelet has it.
func (r *Runtime) countFromLogs(rec *state.Record) {
	removed := takeMark(PodLogDir(r.LogDir, rec.Object, rec.UID))
	for _, c := range rec.Containers {
		c.Attempt = r.lastAttempt(rec, c.Name)
		if removed {
			c.Base = c.Attempt + 1
		}
	}
}

// lastAttempt is the highest number among a container's logs, -1 if there are none.
func (r *Runtime) lastAttempt(rec *state.Record, name string) int {
	last := -1
	entries, err := os.ReadDir(r.containerLogDir(rec, name))
	if err != nil {
		return last
	}
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), ".")
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
	}
	return last
}

// takeMark says whether a folder has the mark, and takes it off.
func takeMark(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || info.Mode()&removedMark == 0 {
		return false
	}
	return os.Chmod(dir, info.Mode()&^removedMark) == nil
}

// markRemoved leaves the mark. Without it a pod that comes back has a restart count that is too high.
func (r *Runtime) markRemoved(rec *state.Record) error {
	dir := PodLogDir(r.LogDir, rec.Object, rec.UID)
	info, err := os.Stat(dir)
	if os.IsNotExist(err) {
		return nil // it never had a log
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, info.Mode()|removedMark)
}
