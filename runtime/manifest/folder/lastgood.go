package folder

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
)

func isPlainSecret(o *manifest.Object) bool {
	s, ok := o.Value.(*corev1.Secret)
	return ok && !annotation.IsSealed(s)
}

// keptObject is a last good version on disk.
type keptObject struct {
	File   string          `json:"file"`
	Doc    int             `json:"doc"`
	Hash   string          `json:"hash"`
	Since  time.Time       `json:"since"`
	Pod    *corev1.Pod     `json:"pod,omitempty"`
	Kind   string          `json:"kind,omitempty"`   // of Object
	Object json.RawMessage `json:"object,omitempty"` // what is not a pod
}

// keptFile is where the last good version of a manifest is kept.
func (f *Folder) keptFile(path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(f.o.CacheDir, fmt.Sprintf("%x.json", sum[:8]))
}

// keep writes the stale objects of a file down, when an edit turns it bad and not before (flash wears), and removes them
// when it is good again. A Secret in the clear is not copied to the flash: it is there until the next reboot.
func (f *Folder) keep(known *file, stale []manifest.Object) {
	stale = slices.DeleteFunc(slices.Clone(stale), func(o manifest.Object) bool { return isPlainSecret(&o) })
	switch {
	case f.o.CacheDir == "" || len(stale) == 0 && !known.kept:
		return
	case len(stale) == 0:
		known.kept = os.Remove(f.keptFile(known.path)) != nil
		return
	case known.kept && sameStale(known.objects, stale):
		return
	}
	kept := make([]keptObject, len(stale))
	for i, o := range stale {
		kept[i] = keptObject{File: o.File, Doc: o.Doc, Hash: o.Hash, Since: o.Since}
		if pod, ok := o.Value.(*corev1.Pod); ok {
			kept[i].Pod = pod
			continue
		}
		kept[i].Kind = o.Kind
		kept[i].Object, _ = json.Marshal(o.Value) // it was decoded from the same types
	}
	data, err := json.Marshal(kept)
	// Without it the pods run on; only a reboot before the file is repaired would miss them.
	known.kept = err == nil && atomicfile.WriteSync(f.keptFile(known.path), data, 0o600) == nil
}

func sameStale(before, stale []manifest.Object) bool {
	was := slices.DeleteFunc(slices.Clone(before), func(o manifest.Object) bool { return !o.Stale })
	return slices.EqualFunc(was, stale, func(a, b manifest.Object) bool { return a.UID == b.UID && a.Hash == b.Hash })
}

func (f *Folder) isKept(path string) bool {
	if f.o.CacheDir == "" {
		return false
	}
	_, err := os.Lstat(f.keptFile(path))
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
	found, _ := filepath.Glob(filepath.Join(f.o.CacheDir, "*.json*"))
	for _, path := range found {
		of, _ := atomicfile.IsAside(path)
		if !known[path] && !known[of] {
			_ = os.RemoveAll(path)
		}
	}
}

// loadKept returns the last good version of a file, or none.
func (f *Folder) loadKept(path string) []manifest.Object {
	if f.o.CacheDir == "" {
		return nil
	}
	var kept []keptObject
	err := atomicfile.LoadJSON(f.keptFile(path), &kept, func() error {
		for i := range kept {
			if _, ok := kept[i].object(); !ok && (kept[i].Pod != nil || kinds.Of(kept[i].Kind) != nil) || kept[i].File != path {
				return errors.New("it holds no versions of this manifest")
			}
		}
		return nil
	})
	if err != nil {
		f.o.Damaged.Of(err, path+" has no last good version until it is good again")
		return nil
	}
	var objects []manifest.Object
	for _, k := range kept {
		if o, ok := k.object(); ok && k.File == path {
			o.Stale = true
			objects = append(objects, o)
		}
	}
	return objects
}

func (k *keptObject) object() (manifest.Object, bool) {
	if k.Pod != nil {
		if k.Pod.Name == "" || k.Pod.UID == "" || len(k.Pod.Spec.Containers) == 0 {
			return manifest.Object{}, false
		}
		return manifest.FromPod(manifest.Pod{Object: k.Pod, File: k.File, Doc: k.Doc, Hash: k.Hash, Since: k.Since}), true
	}
	rules := kinds.Of(k.Kind)
	if rules == nil {
		return manifest.Object{}, false // kept by a podd that knew more kinds
	}
	value := rules.Blank()
	if json.Unmarshal(k.Object, value) != nil {
		return manifest.Object{}, false
	}
	return manifest.Object{
		Kind: k.Kind, Namespace: value.GetNamespace(), Name: value.GetName(), UID: value.GetUID(),
		File: k.File, Doc: k.Doc, Hash: k.Hash, Since: k.Since, Value: value,
	}, true
}

// seeded returns the pods that ran from a file when podd was last alive.
func (f *Folder) seeded(path string) []manifest.Object { return f.seeds[path] }

// seedOf is what ran of a file under a key, or nil.
func (f *Folder) seedOf(path, key string) *manifest.Object {
	seeds := f.seeds[path]
	for i := range seeds {
		if seeds[i].Key() == key {
			return &seeds[i]
		}
	}
	return nil
}

// seedsByFile sorts the pods that ran by their files.
func seedsByFile(pods []manifest.Pod) map[string][]manifest.Object {
	seeds := map[string][]manifest.Object{}
	for _, p := range pods {
		seeds[p.File] = append(seeds[p.File], manifest.FromPod(p))
	}
	return seeds
}
