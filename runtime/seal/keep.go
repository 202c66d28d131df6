package seal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Keep commits a key to a file that must not be there yet: fs.ErrExist if it is.
func Keep(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make a folder for keys: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".tmp-*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot keep a key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), path) // unlike a rename it does not replace
	}
	if err != nil {
		return fmt.Errorf("cannot keep a key: %w", err)
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot keep a key: %w", err)
	}
	defer d.Close()
	return d.Sync()
}
