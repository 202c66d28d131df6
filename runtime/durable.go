package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"podd/internal/atomicfile"
)

// keep writes a value as JSON on flash, away from the loop. what is named in the log if it fails.
func (r *Runtime) keep(path string, value any, what string) {
	data, err := json.Marshal(value)
	if err != nil {
		r.Log.Error("cannot keep "+what, "error", err)
		return
	}
	r.disk.do(func() {
		if err := atomicfile.WriteSync(path, data, 0o600); err != nil {
			r.Log.Error("cannot keep "+what, "error", fmt.Errorf("cannot write %s: %w", path, err))
			r.SuspectStorage(err)
		}
	})
}

// restored reports that state of an earlier daemon could not be read, and what is lost by it. A file that is not there has
// nothing to lose.
func (r *Runtime) restored(err error, lost string) {
	if err == nil || errors.Is(err, fs.ErrNotExist) || r.Damaged.Of(err, lost) {
		return
	}
	r.Log.Error("cannot read what an earlier podd has kept", "lost", lost, "error", err)
}

// setAside sets aside what was found damaged, and reports what is lost by it.
func (r *Runtime) setAside(found []error, lost string) {
	for _, err := range found {
		var damage *atomicfile.Damage
		if errors.As(err, &damage) {
			err = atomicfile.SetAside(damage.Path, damage.Cause)
		}
		r.restored(err, lost)
	}
}
