package folder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
)

// immutables remembers over restarts which ConfigMaps and Secrets have said that they never change (KEP-1412), and what they
// were then, as a sum of it: of a Secret nothing is kept that its manifest does not have on the same disk.
type immutables struct {
	damaged atomicfile.Report
	path    string            // "": nothing is remembered
	sums    map[string]string // by KIND/NAMESPACE/NAME; nil until read
	there   map[string]bool   // in the last scan, those that were refused included
}

func newImmutables(dir string, damaged atomicfile.Report) immutables {
	if dir == "" {
		return immutables{}
	}
	return immutables{damaged: damaged, path: filepath.Join(dir, "immutable")} // not *.json: those are last good versions
}

// load reads the file. Without one, or with a bad one, all may change once.
func (m *immutables) load() {
	if m.sums != nil {
		return
	}
	m.sums = map[string]string{}
	if m.path == "" {
		return
	}
	if err := atomicfile.LoadJSON(m.path, &m.sums, nil); err != nil {
		m.damaged.Of(err, "immutable ConfigMaps and Secrets that changed while podd did not run are taken for new")
		m.sums = map[string]string{}
	}
}

// refuse takes out the objects that podd has not seen since it started, and that have changed since they said that they
// never would. Those that are in before have been looked at with their versions before.
func (m *immutables) refuse(before, objects []manifest.Object) (taken []manifest.Object, problems []manifest.Problem) {
	m.load()
	if len(m.sums) == 0 {
		return objects, nil
	}
	were := manifest.IndexOf(before)
	for _, o := range objects {
		known := m.sums[o.Key()]
		if known == "" || were[o.Key()] != nil || known == sumOf(&o) {
			taken = append(taken, o)
			continue
		}
		problems = append(problems, manifest.Problem{
			File: o.File, Doc: o.Doc, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Reason: manifest.ReasonImmutable,
			Message: fmt.Sprintf("%s: %s %q is invalid: data: Forbidden: %s; it has changed while podd did not run, and its last version is not there any more: "+
				"put it back, give the new one another name, or remove the file and write it anew", o.File, o.Kind, o.Name, kinds.Frozen),
		})
	}
	return taken, problems
}

// note takes in a scan: what is immutable now, and what is gone from the folder and forgotten, unless a bad file may have it.
func (m *immutables) note(set *manifest.Set) {
	m.load()
	there, changed := map[string]bool{}, false
	for i := range set.Objects {
		key := set.Objects[i].Key()
		there[key] = true
		if m.sums[key] == "" && isImmutable(&set.Objects[i]) {
			m.sums[key], changed = sumOf(&set.Objects[i]), true
		}
	}
	for i := range set.Problems {
		there[set.Problems[i].Kind+"/"+set.Problems[i].Namespace+"/"+set.Problems[i].Name] = true
	}
	for key := range m.sums {
		if !there[key] && (m.there[key] || len(set.Problems) == 0) {
			delete(m.sums, key)
			changed = true
		}
	}
	m.there = there
	if changed && m.path != "" {
		m.write()
	}
}

// write commits the sums. Without them only what has changed while podd did not run is taken for new.
func (m *immutables) write() {
	if len(m.sums) == 0 {
		_ = os.Remove(m.path)
		return
	}
	if data, err := json.Marshal(m.sums); err == nil {
		_ = atomicfile.WriteSync(m.path, data, 0o600)
	}
}

func isImmutable(o *manifest.Object) bool {
	switch v := o.Value.(type) {
	case *corev1.ConfigMap:
		return kinds.IsTrue(v.Immutable)
	case *corev1.Secret:
		return kinds.IsTrue(v.Immutable)
	}
	return false
}

// sumOf is the sum of what must not change of an object.
func sumOf(o *manifest.Object) string {
	var content []any
	switch v := o.Value.(type) {
	case *corev1.ConfigMap:
		content = []any{v.Immutable, v.Data, v.BinaryData}
	case *corev1.Secret:
		content = []any{v.Immutable, v.Data, v.Type, v.Annotations[annotation.SealedKey]}
	default:
		return ""
	}
	data, err := json.Marshal(content)
	if err != nil {
		return "" // never: these are maps of strings and bytes
	}
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}

// refuseUpdates takes out the objects that cannot follow their version before, as far as files tell.
func refuseUpdates(before, objects []manifest.Object) (taken []manifest.Object, problems []manifest.Problem) {
	were := manifest.IndexOf(before)
	for _, o := range objects {
		k, old := kinds.Of(o.Kind), were[o.Key()]
		if k == nil || k.Update == nil || k.ByStatus || old == nil || old.Hash == o.Hash {
			taken = append(taken, o)
			continue
		}
		errs := k.Update(old.Value, o.Value)
		if len(errs) == 0 {
			taken = append(taken, o)
			continue
		}
		problems = append(problems, manifest.ImmutableOf(&o, errs))
	}
	return taken, problems
}
