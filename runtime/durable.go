package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writeDurable replaces a file whole and for good: write, sync, rename, sync the folder, which is made if need be.
func writeDurable(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp := path + ".tmp"
	if err := writeSynced(temp, data); err != nil {
		return err
	}
	return errors.Join(os.Rename(temp, path), syncFolder(filepath.Dir(path)))
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// keep writes a value as JSON, away from the loop. what is named in the log if it fails.
func (r *Runtime) keep(path string, value any, what string) {
	data, err := json.Marshal(value)
	if err != nil {
		r.Log.Error("cannot keep "+what, "error", err)
		return
	}
	r.disk.do(func() {
		if err := writeDurable(path, data); err != nil {
			r.Log.Error("cannot keep "+what, "error", fmt.Errorf("cannot write %s: %w", path, err))
		}
	})
}
