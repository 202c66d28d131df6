package controller

import (
	"errors"
	"io/fs"
	"path/filepath"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/objects"
)

// overJobs are the Jobs of the folder that their time to live has removed, with the sums of their manifests. Their files are still
// there, and do not make them anew: a cluster to which a file was applied once does not, either.
type overJobs map[string]string

func overKey(key objects.Key) string { return key.Namespace + "/" + key.Name }

// noteOver remembers that an object of the folder was removed though its file is there. That is on its way to the disk before what
// was kept of the object goes.
func noteOver(m *Manager, e *entry) {
	if e.parent == "" && e.key.Kind == kindJob {
		m.over[overKey(e.key)] = e.hash
		saveOver(m)
	}
}

// isOver says of an object that its time is over. One whose manifest has changed begins.
func isOver(m *Manager, o *manifest.Object) bool {
	return o.Kind == kindJob && m.over[overKey(objects.KeyOf(o))] == o.Hash
}

// forgetOver forgets those that the folder has no more, or in another version.
func forgetOver(m *Manager, set *manifest.Set) {
	if len(m.over) == 0 {
		return
	}
	left := len(m.over)
	is := map[string]string{}
	for _, o := range m.Objects.List(kindJob) {
		is[overKey(objects.KeyOf(o))] = o.Hash
	}
	for key, hash := range m.over {
		namespace, name := filepath.Split(key)
		if now, there := is[key]; there && now != hash || !there && !set.Hides(kindJob, filepath.Clean(namespace), name) {
			delete(m.over, key)
		}
	}
	if len(m.over) < left {
		saveOver(m)
	}
}

func overFile(m *Manager) string { return filepath.Join(m.RootDir, "over") } // not *.json: those are trees

// overOnDisk is the file of them.
type overOnDisk struct {
	Jobs overJobs `json:"jobs"`
}

func saveOver(m *Manager) {
	m.Disk.Persist(overFile(m), overOnDisk{m.over}, "the Jobs whose time to live is over")
}

func readOver(m *Manager) []error {
	var all overOnDisk
	err := atomicfile.PeekJSON(overFile(m), &all, func() error {
		if all.Jobs == nil {
			return errors.New("it names no Jobs")
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []error{err}
	}
	m.over = all.Jobs
	return nil
}
