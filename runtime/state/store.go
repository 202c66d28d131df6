package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
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
	temp := r.Path(rec.UID) + ".tmp"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return fmt.Errorf("cannot write the record of pod %s: %w", rec.UID, err)
	}
	if err := os.Rename(temp, r.Path(rec.UID)); err != nil {
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

// ReadAll reads every record. One that cannot be read is named in the error and left out; the others count.
func (r Store) ReadAll() ([]*Record, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the records: %w", err)
	}
	var list []*Record
	var bad []error
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
	return list, errors.Join(bad...)
}

func ReadFile(path string) (*Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read record: %w", err)
	}
	rec := &Record{}
	if err := json.Unmarshal(data, rec); err != nil {
		return nil, fmt.Errorf("cannot parse record %s: %w", path, err)
	}
	if len(rec.Raw) == 0 || rec.UID == "" {
		return nil, fmt.Errorf("cannot use record %s: it names no pod", path)
	}
	rec.Object = &corev1.Pod{}
	if err := json.Unmarshal(rec.Raw, rec.Object); err != nil {
		return nil, fmt.Errorf("cannot parse the pod of record %s: %w", path, err)
	}
	if rec.Conditions == nil {
		rec.Conditions = map[string]ConditionRecord{}
	}
	return rec, nil
}
