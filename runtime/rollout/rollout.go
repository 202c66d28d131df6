// Package rollout changes pods in place when their manifests are edited, and puts a pod that asks for it back to the version
// that was Ready last when a change of it does not become Ready. What it must know over reboots it keeps on flash: which pod
// an edited manifest continues, and the versions to go back to.
package rollout

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest"
	"podd/runtime/manifest/update"
	"podd/runtime/state"
)

// Files commits what is to be known over reboots, away from the caller and in the order of the calls.
type Files interface {
	// Persist writes a value as it is now, as JSON; what names it in the log if that fails.
	Persist(path string, value any, what string)
	Remove(path string)
}

// Manager knows which pods were changed in place, and the versions of pods to go back to. It belongs to the loop.
type Manager struct {
	files     Files
	dir       string // holds a file for each revision
	aliases   uidAliases
	revisions map[types.NamespacedName]*revision
}

// New makes a Manager that keeps its files below root and has read none of them yet. A Manager that only reads needs no files.
func New(root string, files Files) *Manager {
	return &Manager{
		files:     files,
		dir:       filepath.Join(root, "rollback"),
		aliases:   uidAliases{path: filepath.Join(root, "continued.json"), of: map[types.UID]types.UID{}},
		revisions: map[types.NamespacedName]*revision{},
	}
}

// ReadAliases reads which pods an earlier daemon has changed in place. After an error none is known.
func (m *Manager) ReadAliases() error { return m.aliases.read() }

// Resolve gives a manifest the UID of the pod that it continues: one that was changed in place, now or earlier. current is the
// record of the pod of its name that could take a change, nil if there is none. If the pod can take it, the record does, and
// taken is what has changed; otherwise the manifest stands for a pod of its own. A manifest whose version was given up is
// replaced by the one that was Ready last.
func (m *Manager) Resolve(p *manifest.Pod, current *state.Record, now state.Instant) (resolved *manifest.Pod, taken *update.Change, err error) {
	p = m.rollbackTo(p)
	if uid, ok := m.aliases.of[p.Object.UID]; ok {
		p = withUID(p, uid)
	}
	if current == nil {
		return p, nil, nil
	}
	own := p.Object.UID
	if current.Hash == p.Hash {
		if own == current.UID || current.File != p.File {
			return p, nil, nil
		}
		// It was changed in place to this version, and what remembered that is lost.
		m.setAlias(own, current.UID)
		return withUID(p, current.UID), nil, nil
	}
	change := update.Compare(current.Object, p.Object)
	if len(change.Replace) > 0 || current.File != p.File {
		return p, nil, nil
	}
	m.setAlias(own, current.UID)
	p = withUID(p, current.UID)
	if err := m.update(current, p, &change, now); err != nil {
		return p, nil, err
	}
	return p, &change, nil
}

func withUID(m *manifest.Pod, uid types.UID) *manifest.Pod {
	out, object := *m, *m.Object
	object.UID = uid
	out.Object = &object
	return &out
}

// update changes a pod in place.
func (m *Manager) update(rec *state.Record, p *manifest.Pod, change *update.Change, now state.Instant) error {
	before := rec.Object
	raw, err := json.Marshal(p.Object)
	if err != nil {
		return err
	}
	rec.Object, rec.Raw, rec.Hash, rec.Changed, rec.Pins = p.Object, raw, p.Hash, &now, m.Pins(p)
	if change.Spec() {
		rec.Generation++
	}
	for _, name := range change.Images {
		rec.Container(name).MarkChanged(fmt.Sprintf("Container %s definition changed, will be restarted", name))
	}
	recordResize(rec, before, change.Resources)
	return nil
}

// DropAlias forgets which manifest continues a pod that is gone.
func (m *Manager) DropAlias(pod types.UID) {
	if m.aliases.drop(pod) {
		m.persistAliases()
	}
}

func (m *Manager) setAlias(manifest, pod types.UID) {
	if m.aliases.set(manifest, pod) {
		m.persistAliases()
	}
}

// persistAliases writes what was changed in place. Without it the pod would be another one after a reboot.
func (m *Manager) persistAliases() {
	m.files.Persist(m.aliases.path, m.aliases.of, "which pods were changed in place")
}

func keyOf(p *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}
