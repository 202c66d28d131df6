package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func readRecord(file string) (*record, error) {
	// A link, a FIFO or a device in its place is damage, too, and is not followed or waited for.
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return nil, fmt.Errorf("%w: %s is no regular file", errDamaged, file)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the image store: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	if st, err := f.Stat(); err == nil && (!st.Mode().IsRegular() || st.Size() > maxRecord) {
		return nil, fmt.Errorf("%w: %s is no regular file of at most %d bytes", errDamaged, file, maxRecord)
	}
	data, err := io.ReadAll(f)
	if err != nil { // EIO of a dying card
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	r := new(record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errDamaged, file, err)
	}
	if err := r.check(strings.TrimSuffix(filepath.Base(file), ".json")); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errDamaged, file, err)
	}
	return r, nil
}

// errDamaged: a record cannot be what this package has written.
var errDamaged = errors.New("the record of an image is damaged")

// maxRecord is far beyond any record: 127 layers and the configuration.
const maxRecord = 16 << 20

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
