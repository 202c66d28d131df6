package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func readRecord(file string) (*record, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the image store: %w", err)
	}
	r := new(record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("cannot read the image store: %s is damaged, remove it and load the image again: %w", file, err)
	}
	return r, nil
}

func (s *Store) recordFile(id string) string {
	return filepath.Join(s.dir("i"), strings.TrimPrefix(id, "sha256:")+".json")
}

func (s *Store) writeRecord(r *record) error {
	slices.Sort(r.Names)
	data, err := json.Marshal(r)
	if err == nil {
		err = writeFileSync(s.recordFile(r.ID), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot record image %s: %w", r.ID, err)
	}
	return nil
}

// writeFileSync replaces file by data so that a power cut leaves the old content or the new.
func writeFileSync(file string, data []byte) error {
	tmp := file + "." + strconv.Itoa(os.Getpid()) + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(file))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
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
