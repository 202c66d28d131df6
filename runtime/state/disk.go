package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"podd/internal/atomicfile"
	"podd/internal/background"
)

// Disk keeps on flash what is to be known over reboots. It writes away from the loop, one thing after the other.
type Disk struct {
	Log *slog.Logger
	// Damaged is told of files that could not be believed and were set aside; nil: nobody is.
	Damaged atomicfile.Report
	// Failed is told why something could not be written; nil: nobody is. Any goroutine may call it.
	Failed func(error)

	background.Queue
}

// Persist writes a value as it is now as JSON. what is named in the log if it fails.
func (d *Disk) Persist(path string, value any, what string) {
	data, err := json.Marshal(value)
	if err != nil {
		d.Log.Error("cannot keep "+what, "error", err)
		return
	}
	d.Do(func() {
		if err := atomicfile.WriteSync(path, data, 0o600); err != nil {
			d.Log.Error("cannot keep "+what, "error", fmt.Errorf("cannot write %s: %w", path, err))
			if d.Failed != nil {
				d.Failed(err)
			}
		}
	})
}

// Remove removes a file.
func (d *Disk) Remove(path string) {
	d.Do(func() { _ = os.Remove(path) })
}

// Restored reports that state of an earlier daemon could not be read, and what is lost by it. A file that is not there has
// nothing to lose.
func (d *Disk) Restored(err error, lost string) {
	if err == nil || errors.Is(err, fs.ErrNotExist) || d.Damaged.Of(err, lost) {
		return
	}
	d.Log.Error("cannot read what an earlier podd has kept", "lost", lost, "error", err)
}

// SetAside sets aside what was found damaged, and reports what is lost by it.
func (d *Disk) SetAside(found []error, lost string) {
	for _, err := range found {
		var damage *atomicfile.Damage
		if errors.As(err, &damage) {
			err = atomicfile.SetAside(damage.Path, damage.Cause)
		}
		d.Restored(err, lost)
	}
}
