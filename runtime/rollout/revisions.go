package rollout

import (
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
)

// revision is what is kept of a pod that asks to be put back when a change of it does not become Ready. It is on
// disk, and written when such a pod becomes Ready after a change and when one is put back.
type revision struct {
	Good *goodPod `json:"good"`
	// Bad is the version of the manifest that is not tried again, empty if there is none.
	Bad     string `json:"bad,omitempty"`
	Message string `json:"message,omitempty"`
}

// goodPod is a version that was Ready.
type goodPod struct {
	Hash   string            `json:"hash"`
	Object *corev1.Pod       `json:"object"`
	Images map[string]string `json:"images"` // IDs, by the container's name: a name may stand for another image by now
}

// ReasonRolledBack is that of a manifest whose pod was put back to the version before.
const ReasonRolledBack = "RolledBack"

func (m *Manager) revisionPath(key types.NamespacedName) string {
	return filepath.Join(m.dir, key.Namespace+"_"+key.Name+".json")
}

// PeekRevisions reads the versions to go back to that earlier daemons kept, and changes no file. One that cannot be read is
// left out and named in an error: its pod is not put back.
func (m *Manager) PeekRevisions() (bad []error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		bad = append(bad, err)
	}
	for _, e := range entries {
		namespace, name, ok := strings.Cut(strings.TrimSuffix(e.Name(), ".json"), "_")
		if !ok || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		key, r := types.NamespacedName{Namespace: namespace, Name: name}, &revision{}
		if err := atomicfile.PeekJSON(m.revisionPath(key), r, func() error { return r.check(key) }); err != nil {
			bad = append(bad, err)
			continue
		}
		m.revisions[key] = r
	}
	return bad
}

// check refuses what no podd has written.
func (r *revision) check(key types.NamespacedName) error {
	if r.Good == nil || r.Good.Object == nil || r.Good.Hash == "" {
		return errors.New("it names no version")
	}
	if keyOf(r.Good.Object) != key || r.Good.Object.UID == "" || len(r.Good.Object.Spec.Containers) == 0 {
		return errors.New("it is not of this pod")
	}
	return nil
}

// rollbackTo gives the last good version of a pod for a manifest that was tried and is not tried again.
func (m *Manager) rollbackTo(p *manifest.Pod) *manifest.Pod {
	r := m.revisions[keyOf(p.Object)]
	if r == nil || r.Bad != p.Hash {
		return p
	}
	out := *p
	out.Object, out.Hash = r.Good.Object, r.Good.Hash
	return &out
}

// Pins are the IDs of the images, by container, that a version which was put back runs from; nil for any other.
func (m *Manager) Pins(p *manifest.Pod) map[string]string {
	if r := m.revisions[keyOf(p.Object)]; r != nil && r.Bad != "" && r.Good.Hash == p.Hash {
		return r.Good.Images
	}
	return nil
}

// Problems says which manifests are not what runs.
func (m *Manager) Problems(set []manifest.Pod) []manifest.Problem {
	var list []manifest.Problem
	for i := range set {
		p := &set[i]
		if r := m.revisions[keyOf(p.Object)]; r != nil && r.Bad == p.Hash {
			list = append(list, manifest.Problem{
				File: p.File, Doc: p.Doc, Namespace: p.Object.Namespace, Name: p.Object.Name, Reason: ReasonRolledBack, Message: r.Message,
			})
		}
	}
	return list
}

// Images are the IDs of the images of all versions that a pod can be put back to.
func (m *Manager) Images() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, r := range m.revisions {
			for _, id := range r.Good.Images {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// Prune forgets the versions of pods whose manifests are gone.
func (m *Manager) Prune(wanted func(types.NamespacedName) bool) {
	for key := range m.revisions {
		if !wanted(key) {
			delete(m.revisions, key)
			m.files.Remove(m.revisionPath(key))
		}
	}
}
