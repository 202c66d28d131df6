package runtime

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// removedMark in a pod's log folder says that the pod was removed: one of the same UID that comes later is another
// pod, whose restarts count from 0.
const removedMark = ".removed"

// countFromLogs lets the attempts of a pod go on from its logs, because each attempt has a log of its own. After a
// reboot the restarts go on with them, as the kubelet has it.
func (r *Runtime) countFromLogs(rec *Record) {
	mark := filepath.Join(PodLogDir(r.LogDir, rec.Object, rec.UID), removedMark)
	removed := os.Remove(mark) == nil
	for _, c := range rec.Containers {
		c.Attempt = r.lastAttempt(rec, c.Name)
		if removed {
			c.Base = c.Attempt + 1
		}
	}
}

// lastAttempt is the highest number among a container's logs, -1 if there are none.
func (r *Runtime) lastAttempt(rec *Record, name string) int {
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

// markRemoved leaves the mark. Without it a pod that comes back has a restart count that is too high.
func (r *Runtime) markRemoved(rec *Record) error {
	dir := PodLogDir(r.LogDir, rec.Object, rec.UID)
	if err := os.WriteFile(filepath.Join(dir, removedMark), nil, 0o600); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
