package images

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podd/images/layer"
	"podd/internal/atomicfile"
)

// commits makes what a load has staged part of the store.
type commits struct{ s *Store }

func (s *Store) commits() commits { return commits{s} }

// commit makes staged images part of the store: first the layers are on stable storage, then they get their place, then
// the records name them. A power cut in between leaves layers without a record, which the next Open removes.
func (cm commits) commit(list []*record, st *layer.Staging) ([]Image, error) {
	if len(st.Layers) > 0 {
		if err := syncFilesystem(cm.s.root); err != nil {
			return nil, err
		}
	}
	cm.s.change.Lock()
	defer cm.s.change.Unlock()
	err := cm.s.locked(func() error {
		if err := cm.moveLayers(list, st); err != nil {
			return err
		}
		for _, r := range list {
			if err := cm.writeImageRecord(r); err != nil {
				return err
			}
		}
		return cm.s.records().bumpGeneration()
	})
	if err != nil {
		return nil, err
	}
	var out []Image
	for _, c := range list {
		if img := cm.s.state.Load().byID[c.ID]; img != nil && !slices.ContainsFunc(out, func(i Image) bool { return i.ID == c.ID }) {
			out = append(out, *img)
		}
	}
	return out, nil
}

// moveLayers moves the staged layers that images want into l/ and fills in where each layer is.
func (cm commits) moveLayers(list []*record, st *layer.Staging) error {
	dirs := map[string]string{} // diffID → dir
	moved := false
	for _, c := range list {
		for i := range c.Layers {
			l := &c.Layers[i]
			if have, ok := cm.s.state.Load().layers[l.DiffID]; ok {
				l.Dir = have.Dir
				continue
			}
			if l.Dir = dirs[l.DiffID]; l.Dir != "" {
				continue
			}
			from := st.Layers[l.DiffID]
			if from == nil {
				return fmt.Errorf("another process has removed layer %s meanwhile: load the archive again", l.DiffID)
			}
			l.Dir = cm.layerDirName(l.DiffID)
			if err := cm.moveLayer(from, l.Dir); err != nil {
				return err
			}
			dirs[l.DiffID] = l.Dir
			moved = true
		}
	}
	if !moved {
		return nil
	}
	return errors.Join(atomicfile.SyncDir(cm.s.dir("d")), atomicfile.SyncDir(cm.s.dir("l")))
}

// moveLayer moves a staged layer to dir in l/. The ledger goes first: a layer in its place has one.
func (cm commits) moveLayer(from *layer.Staged, dir string) error {
	err := os.Rename(from.Ledger(), cm.s.checks().ledgerFile(dir))
	if err == nil {
		err = renameTree(from.Path, filepath.Join(cm.s.dir("l"), dir))
	}
	if err != nil {
		return fmt.Errorf("cannot put a layer in its place: %w", err)
	}
	return nil
}

// renameTree renames a folder and leaves its time what it was: F2FS writes into a folder that gets another parent
// (f2fs_set_link), and the ledger would no longer be right.
func renameTree(from, to string) error {
	was, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	is, err := os.Lstat(to)
	if err != nil || is.ModTime().Equal(was.ModTime()) {
		return err
	}
	if err := os.Chtimes(to, was.ModTime(), was.ModTime()); err != nil {
		return err
	}
	return atomicfile.SyncDir(to)
}

// layerDirName derives ten characters from a diffID: 127 layers have to fit into the 4096 bytes of mount(2)'s options. Fifty
// bits do not collide by chance, but somebody could try: then the next ones are taken.
func (cm commits) layerDirName(diffID string) string {
	enc := base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)
	for n := 0; ; n++ {
		sum := sha256.Sum256([]byte(diffID + strings.Repeat("+", n)))
		dir := enc.EncodeToString(sum[:])[:10]
		if owner, taken := cm.s.state.Load().dirs[dir]; taken && owner != diffID {
			continue
		}
		if _, err := os.Lstat(filepath.Join(cm.s.dir("l"), dir)); err == nil {
			continue // what a crash has left, or what is torn; it goes when no load is under way
		}
		return dir
	}
}

// writeImageRecord writes the record of an image and takes its names from their former owners.
func (cm commits) writeImageRecord(r *record) error {
	state := cm.s.state.Load()
	r.Seq = cm.nextSeq()
	for _, old := range state.records {
		if old.ID == r.ID {
			r.Names = union(old.Names, r.Names)
			r.Digests = union(old.Digests, r.Digests)
			r.Trust = old.Trust.with(r.Trust)
		}
	}
	if err := cm.s.records().writeRecord(r); err != nil {
		return err
	}
	for _, old := range state.records {
		if old.ID == r.ID || !slices.ContainsFunc(r.Names, func(n string) bool { return slices.Contains(old.Names, n) }) {
			continue
		}
		left := *old
		left.Names = slices.DeleteFunc(slices.Clone(old.Names), func(n string) bool { return slices.Contains(r.Names, n) })
		if err := cm.s.records().writeRecord(&left); err != nil {
			return err
		}
	}
	return cm.s.reread()
}

// nextSeq is above that of all records.
func (cm commits) nextSeq() int64 {
	seq := int64(0)
	for _, r := range cm.s.state.Load().records {
		seq = max(seq, r.Seq)
	}
	return seq + 1
}

// union keeps a's order.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
