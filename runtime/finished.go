package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/executor"
	"podd/runtime/state"
)

// ends keeps the records of pods that have ended by themselves on disk: one that is done must not be done
// again because the board was switched off and on.
type ends struct{ dir string }

func (f ends) path(uid types.UID) string { return filepath.Join(f.dir, string(uid)+".json") }

// write commits a record for good.
func (f ends) write(uid types.UID, data []byte) error {
	if err := atomicfile.WriteSync(f.path(uid), data, 0o600); err != nil {
		return fmt.Errorf("cannot keep the end of pod %s: %w", uid, err)
	}
	return nil
}

// read gives the record of a pod that ended in an earlier boot, nil if there is none.
func (f ends) read(uid types.UID) (*state.Record, error) {
	rec, err := state.ReadFile(f.path(uid), state.PodFinished)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rec.Kept = true
	rec.ToEarlierBoot()
	return rec, nil
}

func (f ends) remove(uid types.UID) error {
	if err := os.Remove(f.path(uid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot forget the end of pod %s: %w", uid, err)
	}
	return nil
}

// keepFinished writes the record of a pod that has just ended, away from the loop: the disk may be slow.
func (r *Runtime) keepFinished(p *pod) {
	data, err := json.Marshal(p.rec)
	if err != nil {
		r.Log.Error("cannot keep the end of a pod", "pod", p.name(), "error", err)
		return
	}
	uid := p.rec.UID
	r.disk.Do(func() {
		if err := r.ends.write(uid, data); err != nil {
			r.Log.Error("cannot keep the end of a pod; it would run again after a reboot", "error", err)
		}
		r.inbox.put(msgKept{p})
	})
}

// keepEnd writes the end of a pod whose daemon died before it had, or of which the file is lost.
func (r *Runtime) keepEnd(p *pod) {
	if p.rec.State == state.PodFinished && p.rec.Kept {
		if _, err := state.ReadFile(r.ends.path(p.rec.UID), state.PodFinished); err != nil {
			r.disk.SetAside([]error{err}, "it is written again")
			p.rec.Kept = false
		}
	}
	if p.rec.State == state.PodFinished && !p.rec.Kept {
		r.keepFinished(p)
	}
}

// dropEnd forgets that a pod has ended, before it can come back and be taken for one that has.
func (r *Runtime) dropEnd(uid types.UID) {
	r.disk.Wait() // its end may be being written
	if err := r.ends.remove(uid); err != nil {
		r.Log.Error("cannot forget the end of a pod; it would not run if it came back", "error", err)
	}
}

// recall gives the record of a pod that is new to this boot: as it ended in an earlier one, or fresh.
func (r *Runtime) recall(uid types.UID, fresh *state.Record) *state.Record {
	rec, err := r.ends.read(uid)
	if err != nil {
		r.disk.SetAside([]error{err}, "that a pod has ended; it runs again")
	}
	if rec != nil {
		return rec
	}
	executor.LogFolders{Paths: r.paths}.CountAttempts(fresh)
	return fresh
}

// forgetEnds removes what was kept of pods whose manifests went while no daemon was there to see it.
func (r *Runtime) forgetEnds() {
	entries, err := os.ReadDir(r.ends.dir)
	if err != nil {
		return // nothing was ever kept
	}
	wanted := map[string]bool{}
	for _, m := range r.desired {
		wanted[string(m.Object.UID)+".json"] = true
	}
	for _, e := range entries {
		if of, aside := atomicfile.IsAside(e.Name()); !wanted[e.Name()] && !(aside && wanted[of]) {
			_ = os.RemoveAll(filepath.Join(r.ends.dir, e.Name()))
		}
	}
}
