package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// File is where a board's identity is, below its root.
func File(root string) string { return filepath.Join(root, "keys", "seal.age") }

// Identity reads the identity of the board with this root, and makes it the first time. It is on flash, committed, and
// readable by root alone.
func Identity(root string) (*age.X25519Identity, error) {
	path := File(root)
	data, err := os.ReadFile(path)
	if err == nil {
		id, err := age.ParseX25519Identity(strings.TrimSpace(string(data)))
		if err != nil {
			return nil, fmt.Errorf("cannot use the board's key %s: %w", path, err)
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the board's key: %w", err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("cannot make the board's key: %w", err)
	}
	switch err := Keep(path, []byte(id.String()+"\n")); {
	case errors.Is(err, fs.ErrExist):
		return Identity(root) // another podd was faster
	case err != nil:
		return nil, err
	}
	return id, nil
}

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
