package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// readRecord reads one image. A record that cannot be believed is set aside, and the error is an *atomicfile.Damage.
func readRecord(file string) (*record, error) {
	r := new(record)
	err := atomicfile.LoadJSON(file, r, func() error { return r.check(strings.TrimSuffix(filepath.Base(file), ".json")) })
	if err != nil {
		return nil, fmt.Errorf("cannot read the image store: %w", err)
	}
	return r, nil
}

// check demands what others rely on: the ID is that of the file's name, and layers are folders of the store.
func (r *record) check(name string) error {
	if r.ID != "sha256:"+name || len(name) != 64 || !isHex(name) {
		return fmt.Errorf("it has the ID %q", clip(r.ID))
	}
	for _, l := range r.Layers {
		if l.Dir == "" || l.DiffID == "" || l.Dir != filepath.Base(l.Dir) || l.Dir[0] == '.' {
			return fmt.Errorf("it has the layer %q", clip(l.Dir))
		}
	}
	return nil
}

func (s *Store) recordFile(id string) string {
	return filepath.Join(s.dir("i"), strings.TrimPrefix(id, "sha256:")+".json")
}

func (s *Store) writeRecord(r *record) error {
	slices.Sort(r.Names)
	data, err := json.Marshal(r)
	if err == nil {
		err = atomicfile.WriteSync(s.recordFile(r.ID), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot record image %s: %w", r.ID, err)
	}
	return nil
}

// syncFilesystem is one call for all files of all layers; fsync of each would take flash a flush a file.
func syncFilesystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = unix.Syncfs(int(f.Fd()))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot put the layers on stable storage: %w", err)
	}
	return nil
}
