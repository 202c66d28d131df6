package controller

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// treeFiles are the files of workloads: of this boot, and of all.
type treeFiles struct{ m *Manager }

func (m *Manager) treeFiles() treeFiles { return treeFiles{m} }

// tree is the file of one object of the folder, with all that was made of it. It is written whole: on tmpfs whenever
// something in it has changed, on flash when that must survive a reboot.
type tree struct {
	Objects   []treeObject  `json:"objects"` // the folder's first
	Hash      string        `json:"hash"`
	File      string        `json:"file"`
	Doc       int           `json:"doc"`
	Since     time.Time     `json:"since"`
	Overrides []Override    `json:"overrides,omitempty"`
	Ended     []types.UID   `json:"ended,omitempty"`
	Good      *goodVersion  `json:"good,omitempty"`
	Trial     *trial        `json:"trial,omitempty"`  // of this boot
	Ghosts    []*corev1.Pod `json:"ghosts,omitempty"` // pods that are gone, and whose end is not counted
	Clock     time.Duration `json:"clock"`            // see Manager.clock
}

// sealedTree is what is in the file: a bit that has flipped could else end what runs, as one of another name.
type sealedTree struct {
	Sum  string          `json:"sum"` // of Tree
	Tree json.RawMessage `json:"tree"`
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

type treeObject struct {
	Kind     string          `json:"kind"`
	Parent   types.UID       `json:"parent,omitempty"`
	Sequence int64           `json:"sequence,omitempty"`
	Failures int             `json:"failures,omitempty"` // of this boot
	Hold     state.BootTime  `json:"hold,omitempty"`
	Object   json.RawMessage `json:"object"`
}

func fileName(key objects.Key) string {
	// Namespaces have no underscore.
	return strings.ToLower(key.Kind) + "_" + key.Namespace + "_" + key.Name + ".json"
}

func (tf treeFiles) runFile(key objects.Key) string { return filepath.Join(tf.m.RunDir, fileName(key)) }

func (tf treeFiles) flashFile(key objects.Key) string {
	return filepath.Join(tf.m.RootDir, fileName(key))
}
func (tf treeFiles) claimsFile() string { return filepath.Join(tf.m.RootDir, "claims") } // not *.json: those are trees

// save has the tree of an entry written.
func (tf treeFiles) save(e *entry) { tf.m.unsaved[tf.m.root(e).object.GetUID()] = true }

// write writes the trees that have changed. What is gone is removed.
func (tf treeFiles) write() {
	for uid := range tf.m.unsaved {
		delete(tf.m.unsaved, uid)
		e := tf.m.entries[uid]
		if e == nil || e.parent != "" {
			continue
		}
		tf.writeTree(e)
	}
	tf.removeOld()
}

func (tf treeFiles) writeTree(root *entry) {
	tf.m.files[root.key] = root.object.GetUID()
	t, lasting := tf.treeOf(root)
	var sealed sealedTree
	data, err := json.Marshal(t)
	if err == nil {
		sealed = sealedTree{sumOf(data), data}
		data, err = json.Marshal(sealed)
	}
	if err == nil {
		err = atomicfile.Write(tf.runFile(root.key), data, 0o600)
	}
	if err != nil {
		tf.m.Log.Error("cannot keep what a controller knows", "kind", root.key.Kind, "namespace", root.key.Namespace, "name", root.key.Name, "error", err)
	}
	uid := root.object.GetUID()
	if now := sumOf(lasting); sealed.Tree != nil && now != tf.m.written[uid] {
		tf.m.written[uid] = now
		tf.m.Disk.Persist(tf.flashFile(root.key), sealed, "the revisions of a workload")
	}
}

// treeOf is what is kept of an object of the folder, and that of it which must survive a reboot.
func (tf treeFiles) treeOf(root *entry) (t *tree, lasting []byte) {
	t = &tree{
		Hash: root.hash, File: root.origin.File, Doc: root.origin.Doc, Since: root.origin.Since,
		Overrides: root.overrides, Good: root.good, Trial: root.trial, Clock: tf.m.clock,
	}
	for uid := range root.ended {
		t.Ended = append(t.Ended, uid)
	}
	slices.Sort(t.Ended)
	uid := root.object.GetUID()
	keep := []any{uid, root.hash, root.overrides, t.Ended, root.good}
	for _, e := range tf.m.sorted() {
		if e != root && (e.parent == "" || tf.m.root(e) != root) {
			continue
		}
		data, err := json.Marshal(e.object)
		if err != nil {
			continue // never: it was decoded from the same types
		}
		o := treeObject{Kind: e.key.Kind, Parent: e.parent, Sequence: e.sequence, Failures: e.failures, Hold: e.hold, Object: data}
		keep = append(keep, e.key, durable(e.object))
		if e == root {
			t.Objects = append([]treeObject{o}, t.Objects...)
		} else {
			t.Objects = append(t.Objects, o)
		}
	}
	for ghost := range tf.m.ghosts {
		if e := tf.m.entries[controllerOf(tf.m.pods[ghost])]; e != nil && tf.m.root(e) == root {
			t.Ghosts = append(t.Ghosts, tf.m.pods[ghost])
		}
	}
	slices.SortFunc(t.Ghosts, func(a, b *corev1.Pod) int { return cmp.Compare(a.UID, b.UID) })
	lasting, _ = json.Marshal(keep)
	return t, lasting
}

// removeOld removes the trees of objects that are gone.
func (tf treeFiles) removeOld() {
	for key, uid := range tf.m.files {
		if tf.m.entries[uid] != nil {
			continue
		}
		delete(tf.m.files, key)
		delete(tf.m.written, uid)
		_ = os.Remove(tf.runFile(key))
		tf.m.Disk.Remove(tf.flashFile(key))
	}
}

// Read takes in what an earlier daemon has left: of this boot, or else of the one before. It returns what could not be
// believed.
func (m *Manager) Read(now state.Instant) (bad []error) {
	m.clock = now.Wall.Sub(time.Unix(0, 0)) - time.Duration(now.Mono)
	for _, dir := range []string{m.RunDir, m.RootDir} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			bad = append(bad, err)
		}
		for _, f := range entries {
			if !strings.HasSuffix(f.Name(), ".json") {
				continue
			}
			if err := m.treeFiles().readTree(filepath.Join(dir, f.Name()), dir == m.RunDir); err != nil {
				bad = append(bad, err)
				m.lost[f.Name()] = true
			}
		}
	}
	bad = append(bad, readOver(m)...)
	return append(bad, m.treeFiles().readClaims()...)
}

// WriteTrees writes what Read has found, once what could not be believed is set aside: the earlier daemon may have died before
// all of it was on flash.
func WriteTrees(m *Manager) { m.treeFiles().write() }

// peekTree reads a tree, and has it checked.
func peekTree(path string, check func(t *tree) error) error {
	var file struct {
		sealedTree
		tree // of a podd that knew no sums
	}
	return atomicfile.PeekJSON(path, &file, func() error {
		t := file.tree
		if file.Tree != nil {
			if file.Sum != sumOf(file.Tree) {
				return errors.New("its sum is that of another content")
			}
			t = tree{}
			if err := json.Unmarshal(file.Tree, &t); err != nil {
				return err
			}
		}
		return check(&t)
	})
}

func (tf treeFiles) readTree(path string, thisBoot bool) error {
	var t tree
	var list []*entry
	err := peekTree(path, func(found *tree) error {
		t, list = *found, nil
		for i, o := range t.Objects {
			object, err := decode(o.Kind, o.Object)
			if err != nil {
				return err
			}
			if (i == 0) != (o.Parent == "") {
				return errors.New("a child without a parent")
			}
			key := objects.Key{Kind: o.Kind, Namespace: object.GetNamespace(), Name: object.GetName()}
			e := &entry{key: key, object: object, parent: o.Parent, sequence: o.Sequence}
			if thisBoot {
				e.failures, e.hold = max(o.Failures, 0), o.Hold
			}
			list = append(list, e)
		}
		if len(list) == 0 || fileName(list[0].key) != filepath.Base(path) {
			return fmt.Errorf("it is about another object")
		}
		return nil
	})
	if err != nil {
		return err
	}
	root := list[0]
	if tf.m.names[root.key] != "" {
		return nil // the tree of this boot is the newer one
	}
	root.hash, root.overrides, root.good = t.Hash, t.Overrides, t.Good
	root.origin = Origin{File: t.File, Doc: t.Doc, Since: t.Since}
	root.ended = map[types.UID]bool{}
	for _, uid := range t.Ended {
		root.ended[uid] = true
	}
	for _, e := range list {
		tf.m.add(e)
		tf.m.stepper().show(e)
	}
	for _, p := range t.Ghosts {
		if p != nil && p.UID != "" {
			tf.m.pods[p.UID], tf.m.ghosts[p.UID] = p, true
		}
	}
	if thisBoot {
		tf.m.clock, root.trial = t.Clock, t.Trial
	}
	tf.save(root)
	tf.m.files[root.key] = root.object.GetUID()
	return nil
}

// claimsOnDisk is the file of the claims that controllers have made: they outlive those.
type claimsOnDisk struct {
	Claims []*corev1.PersistentVolumeClaim `json:"claims"`
}

func (tf treeFiles) saveClaims() {
	var all claimsOnDisk
	for _, o := range tf.m.claims {
		all.Claims = append(all.Claims, o.Value.(*corev1.PersistentVolumeClaim))
	}
	slices.SortFunc(all.Claims, func(a, b *corev1.PersistentVolumeClaim) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	tf.m.Disk.Persist(tf.claimsFile(), all, "the claims that controllers have made")
}

func (tf treeFiles) readClaims() []error {
	var all claimsOnDisk
	err := atomicfile.PeekJSON(tf.claimsFile(), &all, func() error {
		for _, c := range all.Claims {
			if c == nil || c.Name == "" || c.Namespace == "" || c.UID == "" {
				return errors.New("a claim without a name")
			}
		}
		return nil
	})
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return []error{err}
	}
	for _, c := range all.Claims {
		key := objects.Key{Kind: kindClaim, Namespace: c.Namespace, Name: c.Name}
		tf.m.claims[key] = &manifest.Object{Kind: kindClaim, Namespace: c.Namespace, Name: c.Name, UID: c.UID, Hash: string(c.UID), Since: c.CreationTimestamp.Time, Value: c}
	}
	_ = tf.m.Objects.SetMade(tf.m.claimsOf().madeClaims()) // nobody looks at claims yet
	return nil
}
