package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
)

// Store keeps one file for each pod in a folder.
type Store struct{ Dir string }

func (r Store) Path(uid types.UID) string { return filepath.Join(r.Dir, string(uid)+".json") }

// Write replaces a record whole. It is not synced: tmpfs has nothing to sync to.
func (r Store) Write(rec *Record) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("cannot encode the record of pod %s: %w", rec.UID, err)
	}
	if err := atomicfile.Write(r.Path(rec.UID), data, 0o600); err != nil {
		return fmt.Errorf("cannot write the record of pod %s: %w", rec.UID, err)
	}
	return nil
}

func (r Store) Remove(uid types.UID) error {
	if err := os.Remove(r.Path(uid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove the record of pod %s: %w", uid, err)
	}
	return nil
}

// ReadAll reads every record. One that cannot be read is named among the errors and left out; the others count.
func (r Store) ReadAll() (list []*Record, bad []error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, []error{fmt.Errorf("cannot read the records: %w", err)}
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		rec, err := ReadFile(filepath.Join(r.Dir, entry.Name()))
		if err != nil {
			bad = append(bad, err)
			continue
		}
		list = append(list, rec)
	}
	return list, bad
}
