package manifest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// keptPod is a last good version on disk.
type keptPod struct {
	File  string      `json:"file"`
	Doc   int         `json:"doc"`
	Hash  string      `json:"hash"`
	Since time.Time   `json:"since"`
	Pod   *corev1.Pod `json:"pod"`
}

// keptFile is where the last good version of a manifest is kept.
func (f *Folder) keptFile(path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(f.o.CacheDir, fmt.Sprintf("%x.json", sum[:8]))
}

// keep writes the stale pods of a file down, when an edit turns it bad and not before (flash wears), and removes them
// when it is good again.
func (f *Folder) keep(known *file, stale []Pod) {
	switch {
	case f.o.CacheDir == "" || len(stale) == 0 && !known.kept:
		return
	case len(stale) == 0:
		known.kept = os.Remove(f.keptFile(known.path)) != nil
		return
	case known.kept && sameStale(known.pods, stale):
		return
	}
	kept := make([]keptPod, len(stale))
	for i, p := range stale {
		kept[i] = keptPod{File: p.File, Doc: p.Doc, Hash: p.Hash, Since: p.Since, Pod: p.Object}
	}
	data, err := json.Marshal(kept)
	// Without it the pods run on; only a reboot before the file is repaired would miss them.
	known.kept = err == nil && writeFile(f.keptFile(known.path), data) == nil
}

func sameStale(before, stale []Pod) bool {
	was := slices.DeleteFunc(slices.Clone(before), func(p Pod) bool { return !p.Stale })
	return slices.EqualFunc(was, stale, func(a, b Pod) bool { return a.Object.UID == b.Object.UID })
}

func (f *Folder) isKept(path string) bool {
	if f.o.CacheDir == "" {
		return false
	}
	_, err := os.Stat(f.keptFile(path))
	return err == nil
}

// sweepKept removes the last good versions of manifests that went away while podd was not running.
func (f *Folder) sweepKept() {
	if f.o.CacheDir == "" {
		return
	}
	known := map[string]bool{}
	for _, file := range f.files {
		known[f.keptFile(file.path)] = true
	}
	found, _ := filepath.Glob(filepath.Join(f.o.CacheDir, "*.json"))
	for _, path := range found {
		if !known[path] {
			_ = os.Remove(path)
		}
	}
}

// loadKept returns the last good version of a file, or none.
func (f *Folder) loadKept(path string) []Pod {
	if f.o.CacheDir == "" {
		return nil
	}
	data, err := ReadFile(f.keptFile(path))
	if err != nil {
		return nil
	}
	var kept []keptPod
	if json.Unmarshal(data, &kept) != nil {
		return nil
	}
	var pods []Pod
	for _, k := range kept {
		if k.File == path && k.Pod != nil {
			pods = append(pods, Pod{Object: k.Pod, File: path, Doc: k.Doc, Hash: k.Hash, Since: k.Since, Stale: true})
		}
	}
	return pods
}

// seeded returns the pods that ran from a file when podd was last alive.
func (f *Folder) seeded(path string) []Pod {
	var pods []Pod
	for _, p := range f.o.Seed {
		if p.File == path {
			pods = append(pods, p)
		}
	}
	return pods
}

// writeFile commits a small file: after a loss of power there is the old one or the new one.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing to remove
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
