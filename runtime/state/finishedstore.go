package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
)

// FinishedStore keeps the records of pods that have ended by themselves on disk: one that is done must not be done
// again because the board was switched off and on.
type FinishedStore struct{ Dir string }

func (s FinishedStore) path(uid types.UID) string { return filepath.Join(s.Dir, string(uid)+".json") }

// Save commits a record, as JSON, for good.
func (s FinishedStore) Save(uid types.UID, data []byte) error {
	if err := atomicfile.WriteSync(s.path(uid), data, 0o600); err != nil {
		return fmt.Errorf("cannot keep the end of pod %s: %w", uid, err)
	}
	return nil
}

// Check says whether the record that was saved of a pod is still there: nil, or why it is not. It is not the same when a
// daemon died before it had saved what has changed since.
func (s FinishedStore) Check(rec *Record) (same bool, err error) {
	kept, err := ReadFile(s.path(rec.UID), PodFinished)
	if err != nil {
		return false, err
	}
	return bytes.Equal(kept.Raw, rec.Raw), nil
}

// Read gives the record of a pod that ended in an earlier boot, nil if there is none. The error is an *atomicfile.Damage if
// it cannot be believed.
func (s FinishedStore) Read(uid types.UID) (*Record, error) {
	rec, err := ReadFile(s.path(uid), PodFinished)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rec.Kept = true
	rec.toEarlierBoot()
	return rec, nil
}

// ReadMade gives the records of the pods of controllers that ended in an earlier boot. Those that cannot be believed are named
// among the errors.
func (s FinishedStore) ReadMade() (list []*Record, bad []error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, nil // nothing was ever kept
	}
	for _, e := range entries {
		uid, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		switch rec, err := s.Read(types.UID(uid)); {
		case err != nil:
			bad = append(bad, err)
		case rec != nil && rec.Made:
			list = append(list, rec)
		}
	}
	return list, bad
}

// Delete forgets that a pod has ended.
func (s FinishedStore) Delete(uid types.UID) error {
	if err := os.Remove(s.path(uid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot forget the end of pod %s: %w", uid, err)
	}
	return nil
}

// Prune removes what is kept of all pods but the wanted ones. What was set aside of a wanted one stays.
func (s FinishedStore) Prune(wanted map[types.UID]bool) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return // nothing was ever kept
	}
	keep := map[string]bool{}
	for uid := range wanted {
		keep[filepath.Base(s.path(uid))] = true
	}
	for _, e := range entries {
		if of, aside := atomicfile.IsAside(e.Name()); !keep[e.Name()] && !(aside && keep[of]) {
			_ = os.RemoveAll(filepath.Join(s.Dir, e.Name()))
		}
	}
}
